/** A locked account: the passcode, with the wait after wrong attempts counted down. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { countdown } from '../format'
import { AccountId } from '../parts/accountid'
import { Avatar } from '../parts/avatar'
import { Button } from '../parts/button'
import { useCountdown } from '../parts/countdown'
import { SecretField, Switch } from '../parts/field'
import { Notice, ProblemNotice } from '../parts/notice'
import { useTask } from '../parts/task'
import type { Phase } from '../state/api'
import { run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { unprotected } from '../unprotected'
import { EraseSheet } from './erase'
import { PendingInvite } from './pending'
import { Unprotected } from './unprotected'
import { Page } from './wizard'

export function Unlock({ phase }: { phase: Extract<Phase, { phase: 'locked' }> }) {
  const [passcode, setPasscode] = useState('')
  const [remember, setRemember] = useState(!unprotected())
  const [forgot, setForgot] = useState(false)
  const [erasing, setErasing] = useState(false)
  const { busy, problem, run: attempt, clear } = useTask()
  const input = useRef<HTMLInputElement>(null)
  const left = useCountdown(phase.wait_until)
  const waiting = left > 0
  useEffect(() => {
    if (waiting) clear()
    else input.current?.focus()
  }, [waiting])

  const unlock = async () => {
    if (waiting || passcode === '') return
    if (await attempt(() => run({ cmd: 'unlock', passcode, remember }))) return
    setPasscode('')
    input.current?.focus()
  }
  return (
    <Page>
      <form
        class="step unlock"
        data-testid={T.unlock}
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          void unlock()
        }}
      >
        <Avatar id={phase.account} name="" size={64} />
        <h1>{s.unlock.title('')}</h1>
        <AccountId id={phase.account} />
        <Unprotected />
        <PendingInvite locked />
        <SecretField
          label={s.passcode.label}
          value={passcode}
          onInput={setPasscode}
          inputRef={input}
          testid={T.passcode}
          readOnly={waiting}
          hint={phase.attempts > 0 && !waiting ? s.unlock.attempts(phase.attempts) : s.unlock.lead}
          autoFocus
        />
        <p class="unseen" role="status">
          {waiting ? s.unlock.waiting : busy ? s.unlock.unlocking : ''}
        </p>
        {waiting && (
          <Notice tone="warn" icon="clock" testid={T.unlockWait}>
            {s.unlock.wait(countdown(left))}
          </Notice>
        )}
        {problem && <ProblemNotice problem={problem} />}
        {!unprotected() && (
          <Switch
            label={s.passcode.remember}
            on={remember}
            onChange={setRemember}
            testid={T.remember}
          />
        )}
        <div class="actions">
          <Button
            kind="primary"
            type="submit"
            wide
            busy={busy}
            disabled={waiting || passcode === ''}
            testid={T.unlockButton}
          >
            {busy ? s.unlock.unlocking : s.unlock.button}
          </Button>
          <Button kind="ghost" wide testid={T.unlockForgot} onClick={() => setForgot(!forgot)}>
            {s.unlock.forgot}
          </Button>
        </div>
        {forgot && (
          <Notice>
            <p>{s.unlock.forgotText}</p>
            <Button kind="danger" small testid={T.settingsErase} onClick={() => setErasing(true)}>
              {s.settings.erase}
            </Button>
          </Notice>
        )}
      </form>
      {erasing && <EraseSheet onClose={() => setErasing(false)} />}
    </Page>
  )
}
