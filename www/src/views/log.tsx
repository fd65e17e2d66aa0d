/** The messages of a conversation, oldest above, with a heading for each day. */
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import { dayName, midnight } from '../format'
import { Button, IconButton } from '../parts/button'
import { useKeptFocus } from '../parts/focus'
import { I } from '../parts/icons'
import { Notice } from '../parts/notice'
import { toastProblem } from '../parts/toast'
import type { ContactView, MessageView, Notice as NoticeKind } from '../state/api'
import type { Conversation } from '../state/reduce'
import { loadHistory, sending } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Message, Unsaved } from './message'
import { useReading } from './scroll'

const GROUP_MS = 5 * 60_000

export interface Line {
  message: MessageView
  /** Heading above it, when a new day starts. */
  day: string | null
  /** First and last of a run by one person. */
  first: boolean
  last: boolean
}

/** Times are the senders': a day that was before is not told again, and none lies ahead. */
export function linesOf(messages: MessageView[], now = Date.now()): Line[] {
  const days = messages.map((m) => midnight(Math.min(m.at, now)))
  const joins = (a: number, b: number) => {
    const [x, y] = [messages[a], messages[b]]
    if (!x || !y || x.notice || y.notice || days[a] !== days[b]) return false
    return x.mine === y.mine && Math.abs(y.at - x.at) < GROUP_MS
  }
  let latest = -Infinity
  return messages.map((message, i) => {
    const day = days[i] ?? 0
    const starts = day > latest
    latest = Math.max(latest, day)
    return {
      message,
      day: starts ? dayName(day, now) : null,
      first: !joins(i - 1, i),
      last: !joins(i, i + 1),
    }
  })
}

/** The oldest of so many that came in last. */
export function firstUnread(messages: MessageView[], unread: number): string | null {
  if (unread === 0) return null
  return messages.filter((m) => !m.mine).slice(-unread)[0]?.message ?? null
}

/** Where what is new began when the conversation was opened, until one answers. */
function useNew(contact: ContactView, { messages, more }: Conversation): string | null {
  const [unread] = useState(contact.unread)
  const found = useRef<string | null>(null)
  if (more !== null) found.current ??= firstUnread(messages, unread)
  return messages.at(-1)?.mine ? null : found.current
}

/** What nobody wrote, at its place between the messages. */
function Told({ notice, name }: { notice: NoticeKind; name: string }) {
  const { title, text } = s.chat.notices[notice]
  return (
    <Notice
      tone={notice === 'came_back' ? 'danger' : 'warn'}
      testid={T.messageNotice}
      title={<bdi>{title(name)}</bdi>}
    >
      <p>{text}</p>
    </Notice>
  )
}

function Begin({ contact, empty }: { contact: ContactView; empty: boolean }) {
  const { name } = contact
  return (
    <>
      <p class="log-begin">
        <I name="lock" size={16} />
        {s.chat.begin}
      </p>
      {empty && (
        <p class="log-empty">
          <bdi>
            {contact.state === 'greeted' ? s.chat.emptyGreeted(name) : s.chat.emptyActive(name)}
          </bdi>
        </p>
      )}
    </>
  )
}

export function Log(props: { contact: ContactView; conversation: Conversation }) {
  const { contact } = props
  const { messages, more } = props.conversation
  const unsaved = sending.value.filter((one) => one.contact === contact.contact)
  const load = () => loadHistory(contact.contact, true).catch(toastProblem)
  const reading = useReading({ messages, sending: unsaved.length, more: more === true, load })
  const { box, range, whole, atEnd, busy, toEarlier } = reading
  const [from, to] = range
  const lines = useMemo(() => linesOf(messages.slice(from, to)), [messages, from, to])
  const lastMine = messages.findLast((m) => m.mine)?.message
  const news = useNew(contact, props.conversation)
  const divider = useRef<HTMLParagraphElement>(null)
  useLayoutEffect(() => {
    if (divider.current) reading.rise(divider.current)
  }, [news !== null])
  useKeptFocus(box, box)
  return (
    <div class="log-frame">
      <div
        class="log"
        ref={box}
        role="region"
        aria-label={s.chat.log(contact.name)}
        tabIndex={0}
        data-testid={T.log}
        onScroll={reading.onScroll}
      >
        <div class="log-column">
          {(from > 0 || more === true) && (
            <div class="log-earlier">
              <Button kind="ghost" small busy={busy} testid={T.earlier} onClick={toEarlier}>
                {busy ? s.chat.loading : s.chat.earlier}
              </Button>
            </div>
          )}
          {from === 0 && more === false && (
            <Begin contact={contact} empty={messages.length === 0 && unsaved.length === 0} />
          )}
          {lines.map(({ message, day, first, last }) => (
            <div key={message.message} class={first ? 'line first' : 'line'}>
              {day && (
                <h2 class="day">
                  <span>{day}</span>
                </h2>
              )}
              {message.message === news && (
                <p class="new-line" ref={divider} data-testid={T.newLine}>
                  <span>{s.chat.newLine}</span>
                </p>
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
          {whole && unsaved.map(({ id, text }) => <Unsaved key={id} text={text} />)}
        </div>
      </div>
      {!atEnd && (
        <span class="log-to-end">
          <IconButton
            icon="down"
            label={s.chat.toBottom}
            testid={T.toBottom}
            onClick={reading.toEnd}
          />
        </span>
      )}
    </div>
  )
}
