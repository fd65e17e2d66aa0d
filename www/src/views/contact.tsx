/** What is known of a contact, and the ways to part. */
import { useEffect, useState } from 'preact/hooks'
import { date, groups } from '../format'
import { AccountId } from '../parts/accountid'
import { Avatar } from '../parts/avatar'
import { Button } from '../parts/button'
import { CopyButton } from '../parts/copy'
import { Switch } from '../parts/field'
import { ProblemNotice } from '../parts/notice'
import { ConfirmSheet, Sheet } from '../parts/sheet'
import { useTask } from '../parts/task'
import { UserText } from '../parts/text'
import { toast, toastProblem } from '../parts/toast'
import type { ContactView } from '../state/api'
import { home } from '../state/route'
import { ask, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Returned } from './returned'

function SafetyNumber({ contact, shown }: { contact: ContactView; shown: boolean }) {
  const [digits, setDigits] = useState<string | null>(null)
  const { busy, problem, run: attempt } = useTask()
  const load = () =>
    void attempt(async () => {
      const answer = await ask('safety_number', {
        cmd: 'safety_number',
        contact: contact.contact,
      })
      setDigits(answer.digits)
    })
  useEffect(() => {
    if (shown) load()
  }, [])
  const until = contact.confirm_until
  return (
    <div class="stack tight">
      <h3>{s.contact.safety}</h3>
      <p class="field-hint">{s.contact.safetyHint(contact.name)}</p>
      {problem && <ProblemNotice problem={problem} />}
      {digits ? (
        <div class="safety" data-testid={T.safetyNumber} data-digits={digits}>
          {groups(digits, 5).map((group, i) => (
            <span key={i}>{group}</span>
          ))}
        </div>
      ) : (
        <div>
          <Button small icon="key" busy={busy} testid={T.safetyNumber} onClick={load}>
            {s.common.show}
          </Button>
        </div>
      )}
      {until !== undefined && (
        <>
          <p class="field-hint">{s.chat.returned.words}</p>
          <Returned contact={contact} until={until} />
        </>
      )}
    </div>
  )
}

type Parting = 'clear' | 'remove' | 'block'

function PartingSheet(props: { contact: ContactView; way: Parting; onClose: () => void }) {
  const { contact, way } = props
  const { name } = contact
  const id = contact.contact
  const texts = {
    clear: [s.contact.clearAsk(name), s.contact.clearText, s.contact.clear],
    remove: [s.contact.removeAsk(name), s.contact.removeText, s.contact.remove],
    block: [s.contact.blockAsk(name), s.contact.blockText, s.contact.block],
  } as const
  const confirm = async () => {
    if (way === 'clear') {
      await run({ cmd: 'delete_conversation', contact: id })
      toast(s.contact.cleared)
      return
    }
    await run({ cmd: 'remove_contact', contact: id, block: way === 'block' })
    toast(way === 'block' ? s.contact.blocked(name) : s.contact.removed(name))
    home()
  }
  const [title, text, action] = texts[way]
  return (
    <ConfirmSheet
      title={title}
      text={text}
      action={action}
      onConfirm={confirm}
      onClose={props.onClose}
    />
  )
}

export function ContactSheet(props: {
  contact: ContactView
  /** Opened for the safety number. */
  comparing?: boolean
  onClose: () => void
}) {
  const { contact, comparing = false, onClose } = props
  const [parting, setParting] = useState<Parting | null>(null)
  if (parting) return <PartingSheet contact={contact} way={parting} onClose={onClose} />
  const acknowledge = (on: boolean) =>
    void run({ cmd: 'acknowledge', contact: contact.contact, on }).catch(toastProblem)
  return (
    <Sheet title={s.contact.title} onClose={onClose} testid={T.contact}>
      <div class="contact-head">
        <Avatar id={contact.contact} name={contact.name} picture={contact.avatar} size={72} />
        <div>
          <h3>
            <bdi>{contact.name}</bdi>
          </h3>
          <p class="field-hint">{s.contact.since(date(contact.added))}</p>
        </div>
      </div>
      {contact.about && (
        <p class="user-text" dir="auto" data-testid={T.contactAbout}>
          <UserText text={contact.about} />
        </p>
      )}
      <div class="id-box">
        <span class="field-hint">{s.common.accountId}</span>
        <AccountId id={contact.contact} />
        <CopyButton text={contact.contact} small kind="ghost" />
      </div>
      {contact.state === 'active' && <SafetyNumber contact={contact} shown={comparing} />}
      <Switch
        label={s.contact.acknowledge}
        hint={s.contact.acknowledgeHint(contact.name)}
        on={contact.acknowledge}
        onChange={acknowledge}
        testid={T.acknowledge}
        contact={contact.contact}
      />
      <div class="menu-rows">
        <Button
          kind="ghost"
          icon="trash"
          testid={T.contactClear}
          onClick={() => setParting('clear')}
        >
          {s.contact.clear}
        </Button>
        <Button
          kind="ghost"
          icon="close"
          testid={T.contactRemove}
          onClick={() => setParting('remove')}
        >
          {s.contact.remove}
        </Button>
        <Button
          kind="ghost"
          icon="stop"
          testid={T.contactBlock}
          onClick={() => setParting('block')}
        >
          {s.contact.block}
        </Button>
      </div>
    </Sheet>
  )
}
