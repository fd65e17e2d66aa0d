/** Opening somebody's invitation: from the address bar or pasted, looked up, then answered. */
import { useEffect, useState } from 'preact/hooks'
import { ahead, nameOr } from '../format'
import { byteLength, GREETING_BYTES_MAX } from '../limits'
import { Avatar } from '../parts/avatar'
import { Button } from '../parts/button'
import { TextArea } from '../parts/field'
import { Notice, ProblemNotice } from '../parts/notice'
import { useTask } from '../parts/task'
import type { AnswerOf } from '../state/api'
import { go, home, pendingLink } from '../state/route'
import { ask } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Pane } from './pane'
import { AccountId } from './restore'

type Opened = AnswerOf<'opened'>

function Paste(props: { start: string; onOpened: (link: string, opened: Opened) => void }) {
  const [link, setLink] = useState(props.start)
  const { busy, problem, run: attempt } = useTask()
  const look = (text: string) => {
    if (text.trim() === '') return
    void attempt(async () => {
      const trimmed = text.trim()
      const opened = await ask('opened', { cmd: 'open_invite', link: trimmed })
      props.onOpened(trimmed, { ...opened, name: nameOr(opened.name, opened.inviter) })
    })
  }
  useEffect(() => {
    setLink(props.start)
    look(props.start)
  }, [props.start])
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault()
        look(link)
      }}
    >
      <TextArea
        label={s.open.label}
        value={link}
        onInput={setLink}
        placeholder={s.open.placeholder}
        testid={T.openLink}
        autoFocus
        mono
      />
      {problem && <ProblemNotice problem={problem} />}
      <div class="actions">
        <Button
          kind="primary"
          type="submit"
          busy={busy}
          disabled={link.trim() === ''}
          testid={T.openLook}
        >
          {busy ? s.open.looking : s.open.look}
        </Button>
      </div>
    </form>
  )
}

function Inviter({ opened }: { opened: Opened }) {
  return (
    <div class="inviter">
      <Avatar id={opened.inviter} name={opened.name} size={72} />
      <h2>
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
  const over = byteLength(text.trim()) - GREETING_BYTES_MAX
  const greet = async () => {
    const answer = await ask('contact', { cmd: 'greet', link: props.link, text: text.trim() })
    pendingLink.value = null
    go({ view: 'chat', contact: answer.contact.contact })
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
  if (known && known.state !== 'blocked') {
    return (
      <div class="card stack">
        <Inviter opened={opened} />
        <Notice tone="good">{s.open.known(known.name)}</Notice>
        <div class="actions">
          <Button
            kind="primary"
            testid={T.openToChat}
            onClick={() => {
              pendingLink.value = null
              go({ view: 'chat', contact: known.contact })
            }}
          >
            {s.open.toChat}
          </Button>
        </div>
      </div>
    )
  }
  return (
    <div class="card stack">
      <Inviter opened={opened} />
      <GreetForm link={props.link} onOther={props.onOther} />
    </div>
  )
}

export function Open() {
  const [found, setFound] = useState<{ link: string; opened: Opened } | null>(null)
  const start = pendingLink.value ?? ''
  useEffect(() => setFound(null), [start])
  const other = () => {
    setFound(null)
    if (!pendingLink.value) return
    pendingLink.value = null
    home()
  }
  return (
    <Pane title={s.open.title} lead={found ? '' : s.open.lead} testid={T.open}>
      {found ? (
        <Answering link={found.link} opened={found.opened} onOther={other} />
      ) : (
        <Paste start={start} onOpened={(link, opened) => setFound({ link, opened })} />
      )}
    </Pane>
  )
}
