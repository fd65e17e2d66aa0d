/** People who opened an invitation: each is accepted, declined or blocked. */
import { brief } from '../format'
import { AccountId } from '../parts/accountid'
import { Avatar } from '../parts/avatar'
import { Button } from '../parts/button'
import { Empty, Notice, ProblemNotice } from '../parts/notice'
import { useTask } from '../parts/task'
import { UserText } from '../parts/text'
import { toast } from '../parts/toast'
import type { GreetingView } from '../state/api'
import { go } from '../state/route'
import { contactsById, greetings, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Pane } from './pane'

function Greeting({ greeting }: { greeting: GreetingView }) {
  const { busy, problem, run: attempt } = useTask()
  const { name } = greeting
  const known = contactsById.value[greeting.account]
  const id = greeting.greeting
  const accept = async () => {
    if (!(await attempt(() => run({ cmd: 'accept', greeting: id })))) return
    toast(s.greetings.accepted(name))
    if (contactsById.peek()[greeting.account]) go({ view: 'chat', contact: greeting.account })
  }
  const refuse = async (cmd: 'decline' | 'block', done: string) => {
    if (await attempt(() => run({ cmd, greeting: id }))) toast(done)
  }
  return (
    <li class="card greeting" data-testid={T.greeting} data-greeting={id}>
      <div class="greeting-head">
        <Avatar id={greeting.account} name={name} size={48} />
        <div class="greeting-who">
          <h2>
            <bdi>{name}</bdi>
          </h2>
          <AccountId id={greeting.account} />
        </div>
        <time>{brief(greeting.at)}</time>
      </div>
      {greeting.text ? (
        <p class="greeting-text user-text" dir="auto">
          <UserText text={greeting.text} />
        </p>
      ) : (
        <p class="field-hint">{s.greetings.noText}</p>
      )}
      {known && known.state === 'active' && (
        <Notice tone="warn">
          <bdi>{s.greetings.known(known.name)}</bdi>
        </Notice>
      )}
      {problem && <ProblemNotice problem={problem} />}
      <div class="actions">
        <Button kind="primary" icon="check" busy={busy} testid={T.greetingAccept} onClick={accept}>
          {s.greetings.accept}
        </Button>
        <Button
          testid={T.greetingDecline}
          disabled={busy}
          onClick={() => void refuse('decline', s.greetings.declined)}
        >
          {s.greetings.decline}
        </Button>
        <Button
          kind="ghost"
          testid={T.greetingBlock}
          disabled={busy}
          onClick={() => void refuse('block', s.greetings.blocked)}
        >
          {s.greetings.block}
        </Button>
      </div>
    </li>
  )
}

export function Greetings() {
  const all = greetings.value
  return (
    <Pane title={s.greetings.title} lead={s.greetings.lead} testid={T.greetings}>
      {all.length === 0 && (
        <Empty icon="wave" title={s.greetings.empty} text={s.greetings.emptyHint}>
          <Button icon="invite" onClick={() => go({ view: 'invites' })}>
            {s.invite.title}
          </Button>
        </Empty>
      )}
      <ul class="stack plain">
        {all.map((greeting) => (
          <Greeting key={greeting.greeting} greeting={greeting} />
        ))}
      </ul>
    </Pane>
  )
}
