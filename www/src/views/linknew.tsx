/** An empty device that joins an account of another one: it shows a code, which that one scans. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { deviceName } from '../device'
import { countdown, nameOr } from '../format'
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
import { linkingText } from '../stringsDevices'
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
  if (name.trim() === '') return linkingText.nameEmpty
  return byteLength(name.trim()) > NAME_BYTES_MAX ? linkingText.nameLong : null
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
      title={linkingText.deviceTitle}
      lead={linkingText.deviceLead}
      onNext={() => (wrong || missing ? setTried(true) : props.onNext())}
    >
      <Field
        label={linkingText.name}
        value={device.name}
        onInput={(name) => onDevice({ ...device, name })}
        hint={linkingText.nameHint}
        error={tried || wrong === linkingText.nameLong ? wrong : null}
        testid={T.linkName}
      />
      <Choices
        label={linkingText.kind}
        options={[
          { value: 'linked', title: linkingText.linked, hint: linkingText.linkedHint },
          { value: 'full', title: linkingText.full, hint: linkingText.fullHint },
        ]}
        value={device.full ? 'full' : 'linked'}
        onChange={(kind) => onDevice({ ...device, full: kind === 'full' })}
        testid={T.linkKind}
      />
      {servedByRelay.value !== true && (
        <Field
          label={linkingText.relay}
          value={device.hint}
          onInput={(hint) => onDevice({ ...device, hint })}
          hint={lone ? linkingText.relayHint : linkingText.relayHintMaybe}
          error={tried && missing ? linkingText.relayMissing : null}
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
      title={linkingText.connectingTitle}
      lead={linkingText.connectingText}
      step="connecting"
      level={1}
    >
      <Busy />
      <div role="status">{long && <Notice tone="warn">{linkingText.connectingLong}</Notice>}</div>
    </Stage>
  )
}

function Shown(props: { linking: At<'shown'>; busy: boolean; onAnew: () => void }) {
  const { code, until } = props.linking
  const left = useCountdown(until)
  const over = left === 0
  return (
    <Stage title={linkingText.shownTitle} lead={linkingText.shownLead} step="shown" level={1}>
      <div class={over ? 'code-place over' : 'code-place'}>
        <Qr text={code} label={linkingText.qr} failed={linkingText.qrFailed} testid={T.linkQr} />
        <p class="code-left" data-testid={T.linkLeft}>
          {over ? linkingText.over : linkingText.left(countdown(left))}
        </p>
        <p class="unseen" role="status">
          {over && linkingText.over}
        </p>
        <Button
          small
          kind={over ? 'primary' : 'ghost'}
          icon="retry"
          busy={props.busy}
          testid={T.linkAnew}
          onClick={props.onAnew}
        >
          {linkingText.anew}
        </Button>
      </div>
      <Notice tone="warn">{linkingText.warn}</Notice>
      <div class="stack tight">
        <p class="field-hint">{linkingText.text}</p>
        <input
          class="input mono"
          readOnly
          value={code}
          aria-label={linkingText.textLabel}
          data-testid={T.linkText}
          onFocus={(event) => event.currentTarget.select()}
        />
        <div>
          <CopyButton text={code} small label={linkingText.textCopy} testid={T.linkCopy} />
        </div>
      </div>
    </Stage>
  )
}

function CompareAccount(props: { linking: At<'compare'>; onNo: () => void }) {
  const { digits, account, full } = props.linking
  const name = nameOr(props.linking.name, account)
  const { busy, problem, run: attempt } = useTask()
  const yes = () =>
    void attempt(() => run({ cmd: 'link_confirm', full, history_days: 0, passcode: null }))
  return (
    <Compare digits={digits} level={1} busy={busy} problem={problem} onYes={yes} onNo={props.onNo}>
      <div class="leads-to">
        <Avatar id={account} name={name} size={44} />
        <div>
          <span class="field-hint">{linkingText.compareAccount}</span>
          <strong class="linking-name">
            <bdi data-testid={T.linkWho}>{name}</bdi>
          </strong>
          <AccountId id={account} testid={T.linkAccount} />
        </div>
      </div>
    </Compare>
  )
}

function StageOf(props: {
  linking: Linking | null
  busy: boolean
  onAnew: () => void
  onDiffer: () => void
}) {
  const { linking } = props
  switch (linking?.step) {
    case 'shown':
      return <Shown key={linking.code} linking={linking} busy={props.busy} onAnew={props.onAnew} />
    case 'compare':
      return <CompareAccount key={linking.digits} linking={linking} onNo={props.onDiffer} />
    case 'waiting':
      return (
        <Stage
          key="waiting"
          title={linkingText.waitingTitle}
          lead={linkingText.waitingNew}
          step="waiting"
          level={1}
        >
          <Busy />
        </Stage>
      )
    case 'moving':
      return <Moving key="moving" linking={linking} level={1} title={linkingText.movingTitleNew} />
    default:
      return <Connecting key="connecting" />
  }
}

/** From the first relay to the last part. */
function Way(props: {
  place: Place
  linking: Linking | null
  /** What ended it, by the core or here. */
  failed: Problem | null
  busy: boolean
  onAnew: () => void
  onDiffer: () => void
  onLeave: () => void
}) {
  const { failed, busy, onAnew } = props
  const leave = (
    <Button kind="ghost" testid={T.linkCancel} onClick={props.onLeave}>
      {failed ? s.common.close : s.common.cancel}
    </Button>
  )
  return (
    <div class="step">
      <StepHead place={props.place} />
      {failed ? (
        <Failed key="failed" problem={failed} level={1}>
          <Button kind="primary" icon="retry" busy={busy} testid={T.linkAnew} onClick={onAnew}>
            {linkingText.anew}
          </Button>
          {leave}
        </Failed>
      ) : (
        <>
          <StageOf {...props} />
          <div class="actions">{leave}</div>
        </>
      )}
    </div>
  )
}

/** Showing codes, one after the other, until one was used or nobody wants another. */
function useCodes() {
  const [differed, setDiffered] = useState<Problem | null>(null)
  const again = useTask()
  const begun = useRef(false)
  const turn = useRef(0)
  useEffect(() => {
    endLinking()
    // When the account is open this page is gone: said where it goes on.
    return () => {
      if (begun.current && isOpen.peek()) toast(linkingText.doneNew)
    }
  }, [])
  const stop = async () => {
    turn.current++
    setDiffered(null)
    again.clear()
    await cancelLinking(begun.current)
    begun.current = false
  }
  /** False: called off meanwhile. */
  const show = async ({ name, full, hint }: Device, chosen: Chosen): Promise<boolean> => {
    await stop()
    const mine = turn.current
    const relay = hint.trim() || (await ownRelay())
    if (mine !== turn.current) return false
    begun.current = true
    const relays = relay ? [relay] : []
    await run({ cmd: 'link_new', device: name.trim(), full, ...chosen, relays })
    if (mine !== turn.current) await cancelLinking(true)
    return mine === turn.current
  }
  const differ = () => {
    void stop()
    setDiffered({ code: 'link_differed', ...linkingText.differed })
  }
  const now = linking.value
  const ended = differed ?? again.problem ?? (now?.step === 'failed' ? now.problem : null)
  return { failed: again.busy ? null : ended, again, stop, show, differ }
}

export function LinkNew({ onLeave }: { onLeave: () => void }) {
  const [at, setAt] = useState(1)
  const [device, setDevice] = useState<Device>(() => ({
    name: deviceName(),
    full: false,
    hint: '',
  }))
  const [chosen, setChosen] = useState<Chosen | null>(null)
  const { failed, again, stop, show, differ } = useCodes()
  const leave = () => {
    void stop()
    onLeave()
  }
  const back = () => {
    void stop()
    setAt(at - 1)
  }
  const place = { at, of: STEPS, onBack: at === 1 ? onLeave : back }
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
      {at === 3 && chosen && (
        <LearnStep
          place={place}
          action={linkingText.agree}
          working={linkingText.starting}
          onAgree={async () => {
            if (await show(device, chosen)) setAt(4)
          }}
        />
      )}
      {at === 4 && chosen && (
        <Way
          place={place}
          linking={linking.value}
          failed={failed}
          busy={again.busy}
          onAnew={() => void again.run(() => show(device, chosen))}
          onDiffer={differ}
          onLeave={leave}
        />
      )}
    </Page>
  )
}
