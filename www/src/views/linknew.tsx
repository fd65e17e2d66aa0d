/** An empty device that joins an account of another one: it shows a code, which that one scans. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { deviceName } from '../device'
import { countdown } from '../format'
import { byteLength, NAME_BYTES_MAX } from '../limits'
import { ownRelay, servedByRelay } from '../ownRelay'
import { AccountId } from '../parts/accountid'
import { Avatar } from '../parts/avatar'
import { Button } from '../parts/button'
import { CopyButton } from '../parts/copy'
import { useCountdown } from '../parts/countdown'
import { Choices, Field } from '../parts/field'
import { Notice } from '../parts/notice'
import { Qr } from '../parts/qr'
import { useTask } from '../parts/task'
import { toast } from '../parts/toast'
import type { Linking, Problem } from '../state/api'
import { cancelLinking, endLinking, isOpen, linking, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Busy, Compare, Failed, Moving, Stage, type At } from './linking'
import { LearnStep, Page, PasscodeStep, Step, StepHead, type Chosen, type Place } from './wizard'

const STEPS = 4
/** A relay that has not answered by then may be the wrong one. */
const LONG_MS = 12_000

interface Device {
  name: string
  full: boolean
  /** Of a relay, where the page has none. */
  hint: string
}

function errorOf(name: string): string | null {
  if (name.trim() === '') return s.linking.nameEmpty
  return byteLength(name.trim()) > NAME_BYTES_MAX ? s.linking.nameLong : null
}

function DeviceStep(props: {
  place: Place
  device: Device
  onDevice: (device: Device) => void
  onNext: () => void
}) {
  const { device, onDevice } = props
  const [tried, setTried] = useState(false)
  const wrong = errorOf(device.name)
  const lone = servedByRelay.value === false
  const missing = lone && device.hint.trim() === ''
  return (
    <Step
      place={props.place}
      title={s.linking.deviceTitle}
      lead={s.linking.deviceLead}
      onNext={() => (wrong || missing ? setTried(true) : props.onNext())}
    >
      <Field
        label={s.linking.name}
        value={device.name}
        onInput={(name) => onDevice({ ...device, name })}
        hint={s.linking.nameHint}
        error={tried || wrong === s.linking.nameLong ? wrong : null}
        testid={T.linkName}
      />
      <Choices
        label={s.linking.kind}
        options={[
          { value: 'linked', title: s.linking.linked, hint: s.linking.linkedHint },
          { value: 'full', title: s.linking.full, hint: s.linking.fullHint },
        ]}
        value={device.full ? 'full' : 'linked'}
        onChange={(kind) => onDevice({ ...device, full: kind === 'full' })}
        testid={T.linkKind}
      />
      {servedByRelay.value !== true && (
        <Field
          label={s.linking.relay}
          value={device.hint}
          onInput={(hint) => onDevice({ ...device, hint })}
          hint={lone ? s.linking.relayHint : s.linking.relayHintMaybe}
          error={tried && missing ? s.linking.relayMissing : null}
          testid={T.relayHint}
        />
      )}
    </Step>
  )
}

function Connecting() {
  const [long, setLong] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), LONG_MS)
    return () => clearTimeout(timer)
  }, [])
  return (
    <Stage
      title={s.linking.connectingTitle}
      lead={s.linking.connectingText}
      step="connecting"
      level={1}
    >
      <Busy />
      <div role="status">{long && <Notice tone="warn">{s.linking.connectingLong}</Notice>}</div>
    </Stage>
  )
}

function Shown(props: { linking: At<'shown'>; busy: boolean; onAnew: () => void }) {
  const { code, until } = props.linking
  const left = useCountdown(until)
  const over = left === 0
  return (
    <Stage title={s.linking.shownTitle} lead={s.linking.shownLead} step="shown" level={1}>
      <div class={over ? 'code-place over' : 'code-place'}>
        <Qr text={code} label={s.linking.qr} failed={s.linking.qrFailed} testid={T.linkQr} />
        <p class="code-left" data-testid={T.linkLeft}>
          {over ? s.linking.over : s.linking.left(countdown(left))}
        </p>
        <p class="unseen" role="status">
          {over && s.linking.over}
        </p>
        <Button
          small
          kind={over ? 'primary' : 'ghost'}
          icon="retry"
          busy={props.busy}
          testid={T.linkAnew}
          onClick={props.onAnew}
        >
          {s.linking.anew}
        </Button>
      </div>
      <Notice tone="warn">{s.linking.warn}</Notice>
      <div class="stack tight">
        <p class="field-hint">{s.linking.text}</p>
        <input
          class="input mono"
          readOnly
          value={code}
          aria-label={s.linking.textLabel}
          data-testid={T.linkText}
          onFocus={(event) => event.currentTarget.select()}
        />
        <div>
          <CopyButton text={code} small label={s.linking.textCopy} testid={T.linkCopy} />
        </div>
      </div>
    </Stage>
  )
}

function CompareAccount(props: { linking: At<'compare'>; onNo: () => void }) {
  const { digits, name, account, full } = props.linking
  const { busy, problem, run: attempt } = useTask()
  const yes = () =>
    void attempt(() => run({ cmd: 'link_confirm', full, history_days: 0, passcode: null }))
  return (
    <Compare digits={digits} level={1} busy={busy} problem={problem} onYes={yes} onNo={props.onNo}>
      <div class="leads-to">
        <Avatar id={account} name={name} size={44} />
        <div>
          <span class="field-hint">{s.linking.compareAccount}</span>
          <strong class="linking-name">
            <bdi data-testid={T.linkWho}>{name}</bdi>
          </strong>
          <AccountId id={account} testid={T.linkAccount} />
        </div>
      </div>
    </Compare>
  )
}

/** From the first relay to the last part. */
function Way(props: {
  place: Place
  linking: Linking | null
  /** Said here, not by the core. */
  differed: Problem | null
  again: ReturnType<typeof useTask>
  onAnew: () => void
  onDiffer: () => void
  onLeave: () => void
}) {
  const { linking, differed, again } = props
  const failed = differed ?? again.problem ?? (linking?.step === 'failed' ? linking.problem : null)
  const anew = (
    <Button
      kind="primary"
      icon="retry"
      busy={again.busy}
      testid={T.linkAnew}
      onClick={props.onAnew}
    >
      {s.linking.anew}
    </Button>
  )
  let stage = <Connecting key="connecting" />
  if (failed && !again.busy) {
    stage = (
      <Failed key="failed" problem={failed} level={1}>
        {anew}
      </Failed>
    )
  } else if (linking?.step === 'shown') {
    stage = <Shown key={linking.code} linking={linking} busy={again.busy} onAnew={props.onAnew} />
  } else if (linking?.step === 'compare') {
    stage = <CompareAccount key="compare" linking={linking} onNo={props.onDiffer} />
  } else if (linking?.step === 'waiting') {
    stage = (
      <Stage
        key="waiting"
        title={s.linking.waitingTitle}
        lead={s.linking.waitingNew}
        step="waiting"
        level={1}
      >
        <Busy />
      </Stage>
    )
  } else if (linking?.step === 'moving' || linking?.step === 'done') {
    const parts = linking.step === 'moving' ? linking : { step: 'moving' as const, have: 1, of: 1 }
    stage = <Moving key="moving" linking={parts} level={1} title={s.linking.movingTitleNew} />
  }
  return (
    <div class="step">
      <StepHead place={props.place} />
      {stage}
      <div class="actions">
        <Button kind="ghost" testid={T.linkCancel} onClick={props.onLeave}>
          {failed ? s.common.close : s.common.cancel}
        </Button>
      </div>
    </div>
  )
}

export function LinkNew({ onLeave }: { onLeave: () => void }) {
  const [at, setAt] = useState(1)
  const [device, setDevice] = useState<Device>(() => ({
    name: deviceName(),
    full: false,
    hint: '',
  }))
  const [chosen, setChosen] = useState<Chosen | null>(null)
  const [differed, setDiffered] = useState<Problem | null>(null)
  const again = useTask()
  const begun = useRef(false)
  // When the account is open this page is gone: said where it goes on.
  useEffect(
    () => () => {
      if (begun.current && isOpen.peek()) toast(s.linking.doneNew)
    },
    [],
  )

  const begin = async () => {
    if (!chosen) return
    await cancelLinking()
    setDiffered(null)
    begun.current = true
    const hint = device.hint.trim() || (await ownRelay())
    const { name, full } = device
    const relays = hint ? [hint] : []
    await run({ cmd: 'link_new', device: name.trim(), full, ...chosen, relays })
  }
  const back = (to: number) => {
    void cancelLinking()
    setDiffered(null)
    again.clear()
    setAt(to)
  }
  const leave = () => {
    void cancelLinking()
    onLeave()
  }
  const differ = () => {
    void cancelLinking()
    setDiffered({ code: 'link_differed', ...s.linking.differed })
  }
  const place = { at, of: STEPS, onBack: () => (at === 1 ? onLeave() : back(at - 1)) }
  useEffect(() => endLinking(), [])
  return (
    <Page>
      {at === 1 && (
        <DeviceStep place={place} device={device} onDevice={setDevice} onNext={() => setAt(2)} />
      )}
      {at === 2 && (
        <PasscodeStep
          place={place}
          known={[device.name, s.app]}
          onNext={(passcode) => {
            setChosen(passcode)
            setAt(3)
          }}
        />
      )}
      {at === 3 && (
        <LearnStep
          place={place}
          action={s.linking.agree}
          working={s.linking.starting}
          onAgree={async () => {
            await begin()
            setAt(4)
          }}
        />
      )}
      {at === 4 && (
        <Way
          place={place}
          linking={linking.value}
          differed={differed}
          again={again}
          onAnew={() => void again.run(begin)}
          onDiffer={differ}
          onLeave={leave}
        />
      )}
    </Page>
  )
}
