/** Opening somebody's invitation: from the address bar or pasted, looked up, then answered. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { ahead, nameOr } from '../format'
import { byteLength, GREETING_BYTES_MAX } from '../limits'
import { AccountId } from '../parts/accountid'
import { Avatar } from '../parts/avatar'
import { Button } from '../parts/button'
import { TextArea } from '../parts/field'
import { focusStart } from '../parts/focus'
import { Notice, ProblemNotice } from '../parts/notice'
import { useTask } from '../parts/task'
import { isLinkCode } from '../parts/text'
import type { AnswerOf, Problem } from '../state/api'
import { problemOf } from '../state/problem'
import { go, home, pendingLink, route } from '../state/route'
import { ask } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { scanner } from './later'
import { Pane } from './pane'
import { giveUp } from './pending'

type Opened = AnswerOf<'opened'>

interface Lookup {
  busy: boolean
  problem: Problem | null
  /** Relays it would contact that this account does not use: to be agreed to first. */
  relays: string[]
}
const IDLE: Lookup = { busy: false, problem: null, relays: [] }

/** Reads a link, and looks it up once that contacts nobody new, or was agreed to. */
function useLookup(onOpened: (link: string, opened: Opened) => void) {
  const [lookup, setLookup] = useState(IDLE)
  // An answer to what was asked before, or from another view, comes too late.
  const turn = useRef(0)
  useEffect(() => () => void turn.current++, [])
  const forget = () => {
    turn.current++
    setLookup(IDLE)
  }
  const look = async (text: string, agreed: boolean) => {
    const link = text.trim()
    if (link === '') return
    const mine = ++turn.current
    const late = () => mine !== turn.current
    setLookup({ ...IDLE, busy: true })
    try {
      if (!agreed) {
        const { new_relays: relays } = await ask('link', { cmd: 'check_link', link })
        if (late()) return
        if (relays.length > 0) return setLookup({ ...IDLE, relays })
      }
      const opened = await ask('opened', { cmd: 'open_invite', link })
      if (late()) return
      onOpened(link, { ...opened, name: nameOr(opened.name, opened.inviter) })
    } catch (error) {
      const problem = problemOf(error)
      giveUp(link, problem)
      if (!late()) setLookup({ ...IDLE, problem })
    }
  }
  return { ...lookup, look, forget }
}

function NewRelays({ relays }: { relays: string[] }) {
  return (
    <Notice
      tone="warn"
      icon="relay"
      title={s.open.relaysTitle(relays.length)}
      testid={T.openRelays}
    >
      <p>{s.open.relaysText(relays.length)}</p>
      <ul class="addresses">
        {relays.map((address) => (
          <li key={address}>{address}</li>
        ))}
      </ul>
      <p>{s.open.relaysKept(relays.length)}</p>
    </Notice>
  )
}

/** An invitation is often shown as a code, on paper or on another screen. */
function Scan({ onLink }: { onLink: (link: string) => void }) {
  const [scanning, setScanning] = useState(false)
  const [other, setOther] = useState(false)
  if (!scanning) {
    return (
      <div>
        <Button
          small
          kind="ghost"
          icon="camera"
          testid={T.openScan}
          onClick={() => setScanning(true)}
        >
          {s.open.scan}
        </Button>
      </div>
    )
  }
  const onText = (text: string) => {
    setOther(isLinkCode(text))
    if (isLinkCode(text)) return
    setScanning(false)
    onLink(text)
  }
  return (
    <>
      <scanner.View onText={onText} />
      <div role="status">
        {other && (
          <Notice tone="warn" testid={T.scanOther}>
            {s.open.linkCode}
          </Notice>
        )}
      </div>
    </>
  )
}

function Paste(props: {
  start: string
  onOpened: (link: string, opened: Opened) => void
  onLeave: () => void
}) {
  const [link, setLink] = useState(props.start)
  const { busy, problem, relays, look, forget } = useLookup(props.onOpened)
  const asks = relays.length > 0
  useEffect(() => void look(props.start, false), [])
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault()
        if (!busy) void look(link, asks)
      }}
    >
      <TextArea
        label={s.open.label}
        value={link}
        onInput={(text) => {
          setLink(text)
          forget()
        }}
        placeholder={s.open.placeholder}
        testid={T.openLink}
        autoFocus
        mono
      />
      {!asks && (
        <Scan
          onLink={(text) => {
            setLink(text)
            void look(text, false)
          }}
        />
      )}
      {asks && <NewRelays relays={relays} />}
      {problem && <ProblemNotice problem={problem} />}
      <p class="unseen" role="status">
        {busy ? s.open.looking : asks ? s.open.relaysTitle(relays.length) : ''}
      </p>
      <div class="actions">
        <Button
          kind="primary"
          type="submit"
          busy={busy}
          disabled={link.trim() === ''}
          testid={asks ? T.openAgree : T.openLook}
        >
          {busy ? s.open.looking : asks ? s.open.agree : s.open.look}
        </Button>
        {asks && (
          <Button
            kind="ghost"
            testid={T.openOther}
            onClick={() => {
              forget()
              props.onLeave()
            }}
          >
            {s.open.later}
          </Button>
        )}
      </div>
    </form>
  )
}

function Inviter({ opened }: { opened: Opened }) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => focusStart(title.current), [])
  return (
    <div class="inviter">
      <Avatar id={opened.inviter} name={opened.name} size={72} />
      <h2 ref={title} tabIndex={-1}>
        <bdi data-testid={T.openName}>{opened.name}</bdi> {s.open.from}
      </h2>
      <AccountId id={opened.inviter} />
      <p class="field-hint">{s.open.until(ahead(opened.until))}</p>
    </div>
  )
}

function GreetForm(props: { link: string; onOther: () => void }) {
  const [text, setText] = useState('')
  const { busy, problem, run: attempt } = useTask()
  const here = useRef(true)
  useEffect(() => () => void (here.current = false), [])
  const over = byteLength(text.trim()) - GREETING_BYTES_MAX
  const greet = async () => {
    const { link } = props
    const { contact } = await ask('contact', { cmd: 'greet', link, text: text.trim() })
    if (pendingLink.peek() === link) pendingLink.value = null
    // Who went on to something else meanwhile stays there.
    if (here.current && route.peek().view === 'open') go({ view: 'chat', contact: contact.contact })
  }
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        if (over <= 0) void attempt(greet)
      }}
    >
      <TextArea
        label={s.open.text}
        value={text}
        onInput={setText}
        hint={s.open.textHint}
        placeholder={s.open.textPlaceholder}
        error={over > 0 ? s.chat.over(over) : null}
        testid={T.openText}
        autoFocus
      />
      {problem && <ProblemNotice problem={problem} />}
      <div class="actions">
        <Button
          kind="primary"
          type="submit"
          icon="wave"
          busy={busy}
          disabled={over > 0}
          testid={T.openSend}
        >
          {busy ? s.open.sending : s.open.send}
        </Button>
        <Button kind="ghost" testid={T.openOther} onClick={props.onOther}>
          {s.open.later}
        </Button>
      </div>
    </form>
  )
}

function Answering(props: { link: string; opened: Opened; onOther: () => void }) {
  const { opened } = props
  if (opened.own) {
    return (
      <Notice title={s.open.own}>
        <p>{s.open.ownText}</p>
        <Button small testid={T.openOther} onClick={props.onOther}>
          {s.open.other}
        </Button>
      </Notice>
    )
  }
  const known = opened.contact
  const again = known?.state === 'greeted'
  return (
    <div class="card stack">
      <Inviter opened={opened} />
      {known && known.state !== 'blocked' && (
        <>
          <Notice tone="good">
            <bdi>{again ? s.open.greeted(known.name) : s.open.known(known.name)}</bdi>
          </Notice>
          <div class="actions">
            <Button
              kind={again ? 'quiet' : 'primary'}
              testid={T.openToChat}
              onClick={() => {
                pendingLink.value = null
                go({ view: 'chat', contact: known.contact })
              }}
            >
              {s.open.toChat}
            </Button>
          </div>
        </>
      )}
      {known?.state !== 'active' && <GreetForm link={props.link} onOther={props.onOther} />}
    </div>
  )
}

export function Open() {
  // Stays when the link is done with, so that what is said of it stays, too.
  const start = useRef('')
  if (pendingLink.value) start.current = pendingLink.value
  const [found, setFound] = useState<{ from: string; link: string; opened: Opened } | null>(null)
  const shown = found?.from === start.current ? found : null
  const other = () => {
    setFound(null)
    if (!start.current) return
    pendingLink.value = null
    home()
  }
  return (
    <Pane title={s.open.title} lead={shown ? '' : s.open.lead} testid={T.open}>
      {shown ? (
        <Answering link={shown.link} opened={shown.opened} onOther={other} />
      ) : (
        <Paste
          key={start.current}
          start={start.current}
          onOpened={(link, opened) => setFound({ from: start.current, link, opened })}
          onLeave={other}
        />
      )}
    </Pane>
  )
}
