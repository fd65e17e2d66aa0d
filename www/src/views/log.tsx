/** The messages of a conversation, oldest above, with a heading for each day. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { dayName } from '../format'
import { Button, IconButton } from '../parts/button'
import { I } from '../parts/icons'
import { Notice } from '../parts/notice'
import { toastProblem } from '../parts/toast'
import type { ContactView, MessageView, Notice as NoticeKind } from '../state/api'
import { loadHistory } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Message } from './message'

const GROUP_MS = 5 * 60_000
/** Closer to the end than this counts as reading along. */
const NEAR_END_PX = 80

export interface Line {
  message: MessageView
  /** Heading above it, when a new day starts. */
  day: string | null
  /** First and last of a run by one person. */
  first: boolean
  last: boolean
}

export function linesOf(messages: MessageView[], now = Date.now()): Line[] {
  const days = messages.map((m) => dayName(m.at, now))
  const joins = (a: number, b: number) => {
    const [x, y] = [messages[a], messages[b]]
    if (!x || !y || x.notice || y.notice || days[a] !== days[b]) return false
    return x.mine === y.mine && Math.abs(y.at - x.at) < GROUP_MS
  }
  return messages.map((message, i) => ({
    message,
    day: i > 0 && days[i] === days[i - 1] ? null : (days[i] ?? null),
    first: !joins(i - 1, i),
    last: !joins(i, i + 1),
  }))
}

/** Keeps the end in sight while reading along, and the place when older messages come in above. */
function useScroll(messages: MessageView[]) {
  const box = useRef<HTMLDivElement>(null)
  const [atEnd, setAtEnd] = useState(true)
  const before = useRef<{ first?: string; height: number }>({ height: 0 })
  const first = messages[0]?.message
  const newest = messages.at(-1)
  useLayoutEffect(() => {
    const { current } = box
    if (!current) return
    const grewAbove = before.current.first !== undefined && before.current.first !== first
    if (atEnd || newest?.mine) current.scrollTop = current.scrollHeight
    else if (grewAbove) current.scrollTop += current.scrollHeight - before.current.height
    before.current = { height: current.scrollHeight, ...(first ? { first } : {}) }
  }, [first, newest?.message, messages.length])
  useEffect(() => {
    // The keyboard of a phone, or a longer draft, takes from the height.
    const { current } = box
    if (!current || typeof ResizeObserver === 'undefined') return
    const observer = new ResizeObserver(() => {
      if (atEnd) current.scrollTop = current.scrollHeight
    })
    observer.observe(current)
    return () => observer.disconnect()
  }, [atEnd])
  const onScroll = () => {
    const { current } = box
    if (!current) return
    const rest = current.scrollHeight - current.scrollTop - current.clientHeight
    setAtEnd(rest < NEAR_END_PX)
  }
  const toEnd = () => {
    box.current?.scrollTo({ top: box.current.scrollHeight })
    setAtEnd(true)
  }
  return { box, atEnd, onScroll, toEnd }
}

function Earlier({ contact }: { contact: string }) {
  const [busy, setBusy] = useState(false)
  const load = () => {
    setBusy(true)
    loadHistory(contact, true)
      .catch(toastProblem)
      .finally(() => setBusy(false))
  }
  return (
    <div class="log-earlier">
      <Button kind="ghost" small busy={busy} testid={T.earlier} onClick={load}>
        {busy ? s.chat.loading : s.chat.earlier}
      </Button>
    </div>
  )
}

/** What nobody wrote, at its place between the messages. */
function Told({ notice, name }: { notice: NoticeKind; name: string }) {
  const { title, text } = s.chat.notices[notice]
  return (
    <Notice tone="warn" testid={T.messageNotice} title={<bdi>{title(name)}</bdi>}>
      {text}
    </Notice>
  )
}

export function Log(props: {
  contact: ContactView
  messages: MessageView[]
  more: boolean | null
}) {
  const { contact, messages, more } = props
  const { box, atEnd, onScroll, toEnd } = useScroll(messages)
  const lines = useMemo(() => linesOf(messages), [messages])
  const lastMine = messages.findLast((m) => m.mine)?.message
  return (
    <div class="log-frame">
      <div
        class="log"
        ref={box}
        role="log"
        aria-live="polite"
        aria-label={s.chat.log(contact.name)}
        tabIndex={0}
        data-testid={T.log}
        onScroll={onScroll}
      >
        <div class="log-column">
          {more === true && <Earlier contact={contact.contact} />}
          {more === false && (
            <p class="log-begin">
              <I name="lock" size={16} />
              {s.chat.begin}
            </p>
          )}
          {lines.map(({ message, day, first, last }) => (
            <div key={message.message} class={first ? 'line first' : 'line'}>
              {day && (
                <h2 class="day">
                  <span>{day}</span>
                </h2>
              )}
              {message.notice ? (
                <Told notice={message.notice} name={contact.name} />
              ) : (
                <Message
                  message={message}
                  name={contact.name}
                  confirms={contact.confirms}
                  greeted={contact.state === 'greeted'}
                  last={last}
                  telling={message.message === lastMine}
                />
              )}
            </div>
          ))}
          {more === false && messages.length === 0 && (
            <p class="log-empty">
              <bdi>
                {contact.state === 'greeted'
                  ? s.chat.emptyGreeted(contact.name)
                  : s.chat.emptyActive(contact.name)}
              </bdi>
            </p>
          )}
        </div>
      </div>
      {!atEnd && (
        <span class="log-to-end">
          <IconButton icon="down" label={s.chat.toBottom} testid={T.toBottom} onClick={toEnd} />
        </span>
      )}
    </div>
  )
}
