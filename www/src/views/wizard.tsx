/** The frame of the steps that make an account, and the steps they share. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { byteLength, NAME_BYTES_MAX } from '../limits'
import { Button, IconButton } from '../parts/button'
import { Field, Switch } from '../parts/field'
import { I, Mark, type IconName } from '../parts/icons'
import { focusStart } from '../parts/focus'
import { ProblemNotice } from '../parts/notice'
import { NewPasscode } from '../parts/passcode'
import { useTask } from '../parts/task'
import type { Problem } from '../state/api'
import { s } from '../strings'
import { T } from '../testids'
import { unprotected } from '../unprotected'

export interface Place {
  at: number
  of: number
  onBack: () => void
}

/** The way back, and how far one is. */
export function StepHead({ place }: { place: Place }) {
  const { at, of, onBack } = place
  return (
    <header class="step-head">
      <IconButton icon="back" label={s.common.back} testid={T.back} onClick={onBack} />
      <span class="step-count">{s.steps(at, of)}</span>
      <span class="step-dots" aria-hidden="true">
        {Array.from({ length: of }, (_, i) => (
          <i key={i} class={i < at ? 'done' : ''} />
        ))}
      </span>
    </header>
  )
}

export function Step(props: {
  place: Place
  title: string
  lead?: ComponentChildren
  action?: string
  busy?: boolean
  blocked?: boolean
  testid?: string
  problem?: Problem | null
  onNext: () => void
  children: ComponentChildren
}) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    scrollTo(0, 0)
    focusStart(title.current)
  }, [])
  return (
    <form
      class="step"
      data-testid={props.testid}
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        if (!props.busy && !props.blocked) props.onNext()
      }}
    >
      <StepHead place={props.place} />
      <h1 ref={title} tabIndex={-1}>
        {props.title}
      </h1>
      {props.lead && <p class="lead">{props.lead}</p>}
      {props.children}
      {props.problem && <ProblemNotice problem={props.problem} />}
      <div class="actions">
        <Button
          kind="primary"
          type="submit"
          wide
          testid={props.action ? T.agree : T.next}
          busy={props.busy ?? false}
          disabled={props.blocked ?? false}
        >
          {props.action ?? s.common.next}
        </Button>
      </div>
    </form>
  )
}

/** The card in the middle of pages without an account. */
export function Page({ children, wide }: { children: ComponentChildren; wide?: boolean }) {
  return (
    <main class={wide ? 'page wide' : 'page'} id="main">
      <div class="page-brand">
        <Mark size={32} />
        <span>{s.app}</span>
      </div>
      <div class="page-card">{children}</div>
    </main>
  )
}

export function nameError(name: string): string | null {
  if (name.trim() === '') return s.name.empty
  return byteLength(name.trim()) > NAME_BYTES_MAX ? s.name.long : null
}

export function NameStep(props: {
  place: Place
  name: string
  onName: (name: string) => void
  onNext: () => void
}) {
  const [tried, setTried] = useState(false)
  const error = nameError(props.name)
  return (
    <Step
      place={props.place}
      title={s.name.title}
      lead={s.name.lead}
      onNext={() => (error ? setTried(true) : props.onNext())}
    >
      <Field
        label={s.name.label}
        value={props.name}
        onInput={props.onName}
        placeholder={s.name.placeholder}
        autocomplete="nickname"
        testid={T.nameInput}
        error={tried || error === s.name.long ? error : null}
        autoFocus
      />
    </Step>
  )
}

export interface Chosen {
  passcode: string
  remember: boolean
}

export function PasscodeStep(props: {
  place: Place
  known: string[]
  onNext: (chosen: Chosen) => void
}) {
  const [passcode, setPasscode] = useState<string | null>(null)
  const [remember, setRemember] = useState(!unprotected())
  return (
    <Step
      place={props.place}
      title={s.passcode.title}
      lead={s.passcode.lead}
      blocked={passcode === null}
      onNext={() => passcode !== null && props.onNext({ passcode, remember })}
    >
      <NewPasscode known={props.known} onChange={setPasscode} autoFocus />
      {unprotected() ? (
        <p class="field-hint" data-testid={T.notRemembered}>
          {s.unprotected.passcode}
        </p>
      ) : (
        <Switch
          label={s.passcode.remember}
          hint={s.passcode.rememberHint}
          on={remember}
          onChange={setRemember}
          testid={T.remember}
        />
      )}
    </Step>
  )
}

/** What relays, the host of the page, contacts and this device know. */
export function Learn() {
  const host = unprotected() ? `${s.learn.host} ${s.learn.way}` : s.learn.host
  const points: { icon: IconName; title: string; text: string }[] = [
    { icon: 'relay', title: s.learn.relayTitle, text: s.learn.relay },
    { icon: 'globe', title: s.learn.hostTitle(location.host), text: host },
    { icon: 'people', title: s.learn.contactsTitle, text: s.learn.contacts },
    { icon: 'device', title: s.learn.deviceTitle, text: s.learn.device },
  ]
  return (
    <dl class="learn" data-testid={T.learn}>
      {points.map(({ icon, title, text }) => (
        <div key={title} class="learn-point">
          <I name={icon} />
          <dt>{title}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  )
}

export function LearnStep(props: {
  place: Place
  action: string
  /** Said while it is done. */
  working?: string
  onAgree: () => Promise<unknown>
}) {
  const { busy, problem, run } = useTask()
  return (
    <Step
      place={props.place}
      title={s.learn.title}
      lead={s.learn.lead}
      action={busy ? (props.working ?? s.learn.creating) : props.action}
      busy={busy}
      problem={problem}
      onNext={() => void run(props.onAgree)}
    >
      <Learn />
    </Step>
  )
}
