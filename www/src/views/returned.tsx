/** Coming back, seen from both sides, told where one writes. */
import { ahead } from '../format'
import { Button } from '../parts/button'
import { useContentAfter } from '../parts/focus'
import { Notice, ProblemNotice } from '../parts/notice'
import { useTask } from '../parts/task'
import { toast } from '../parts/toast'
import type { ContactView, MessageView } from '../state/api'
import { run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

/** They came back, and it is not sure yet that it is them: what is written waits. */
export function Returned(props: {
  contact: ContactView
  until: number
  /** Leads to the safety number; none where it is in sight. */
  onCompare?: () => void
}) {
  const { contact, until, onCompare } = props
  const { name } = contact
  const { busy, problem, run: attempt } = useTask()
  useContentAfter(true)
  const confirm = async () => {
    const done = await attempt(() => run({ cmd: 'confirm_return', contact: contact.contact }))
    if (done) toast(s.chat.returned.confirmed(name))
  }
  return (
    <Notice tone="warn" testid={T.returned} title={<bdi>{s.chat.returned.title(name)}</bdi>}>
      <p>
        <bdi>{s.chat.returned.text(name, ahead(until))}</bdi>
      </p>
      <div class="row">
        <Button small busy={busy} testid={T.returnedConfirm} onClick={() => void confirm()}>
          {s.chat.returned.confirm}
        </Button>
        {onCompare && (
          <Button small icon="key" testid={T.returnedCompare} onClick={onCompare}>
            {s.chat.returned.compare}
          </Button>
        )}
      </div>
      {problem && <ProblemNotice problem={problem} />}
    </Notice>
  )
}

/** Whether one has begun anew with a contact whose device has not answered yet. */
export function isReturning(contact: ContactView, messages: MessageView[]): boolean {
  const { delivery } = messages.findLast((message) => message.mine) ?? {}
  const waits = delivery?.state === 'queued' && delivery.waits_for === 'acceptance'
  return waits && contact.state === 'active'
}

export function Returning({ contact }: { contact: ContactView }) {
  return (
    <Notice icon="clock" testid={T.returning}>
      <bdi>{s.chat.returning(contact.name)}</bdi>
    </Notice>
  )
}
