/** On a device that has the words: reads the code of a new one, and hands the account over. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Button } from '../parts/button'
import { Choices, Segmented, SecretField, TextArea } from '../parts/field'
import { I } from '../parts/icons'
import { Notice, ProblemNotice } from '../parts/notice'
import { Sheet } from '../parts/sheet'
import { useTask } from '../parts/task'
import { isInvitation, isLinkCode } from '../parts/text'
import { toast } from '../parts/toast'
import type { Linking, Problem } from '../state/api'
import { cancelLinking, endLinking, linking, run } from '../state/store'
import { s } from '../strings'
import { linkingText } from '../stringsDevices'
import { T } from '../testids'
import { scanner } from './later'
import { Busy, Compare, deviceTitle, Failed, isUnsure, Moving, Stage, type At } from './linking'

const DAYS = [0, 7, 30, 365] as const
function ScanStage({ onCode }: { onCode: (code: string) => Promise<unknown> }) {
  const [text, setText] = useState('')
  const [other, setOther] = useState<string | null>(null)
  const { busy, problem, run: attempt, clear } = useTask()
  const read = (code: string) => void attempt(() => onCode(code.trim()))
  const onSeen = (seen: string) => {
    clear()
    if (isLinkCode(seen)) {
      setOther(null)
      return read(seen)
    }
    setOther(isInvitation(seen) ? linkingText.invitationCode : linkingText.otherCode)
  }
  return (
    <Stage lead={linkingText.scanLead} step="scan" level={3}>
      <scanner.View onText={onSeen} first />
      {other && (
        <div role="alert">
          <Notice tone="warn" testid={T.scanOther}>
            {other}
          </Notice>
        </div>
      )}
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (text.trim() !== '') read(text)
        }}
      >
        <TextArea
          label={linkingText.paste}
          value={text}
          onInput={(value) => {
            setText(value)
            clear()
          }}
          placeholder={linkingText.pastePlaceholder}
          rows={2}
          testid={T.linkText}
          mono
        />
        {problem && <ProblemNotice problem={problem} />}
        <div class="actions">
          <Button
            kind={text.trim() === '' ? 'quiet' : 'primary'}
            type="submit"
            busy={busy}
            disabled={text.trim() === ''}
            testid={T.linkRead}
          >
            {linkingText.read}
          </Button>
        </div>
      </form>
      <p class="field-hint">{linkingText.scanWarn}</p>
    </Stage>
  )
}

function Asker({ name, full }: { name: string; full: boolean }) {
  return (
    <div class="leads-to">
      <span class="device-icon">
        <I name="device" size={24} />
      </span>
      <div>
        <span class="field-hint">{linkingText.compareDevice}</span>
        <strong class="linking-name">
          <bdi data-testid={T.linkWho}>{deviceTitle(name)}</bdi>
        </strong>
        <span class="field-hint">{linkingText.asks(full)}</span>
      </div>
    </div>
  )
}

/** What the device gets, once it is known which one it is. */
function GiveStage({ linking }: { linking: At<'compare'> }) {
  const [full, setFull] = useState(linking.full)
  const [days, setDays] = useState<number>(30)
  const [passcode, setPasscode] = useState('')
  const { busy, problem, run: attempt } = useTask()
  const ready = !full || passcode !== ''
  const give = () =>
    run({ cmd: 'link_confirm', full, history_days: days, passcode: full ? passcode : null })
  return (
    <Stage
      title={linkingText.giveTitle(deviceTitle(linking.name))}
      lead={linkingText.gives}
      step="give"
      level={3}
    >
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (ready) void attempt(give)
        }}
      >
        {linking.full && (
          <Choices
            label={linkingText.giveKind}
            options={[
              { value: 'full', title: linkingText.giveFull, hint: linkingText.giveFullHint },
              { value: 'linked', title: linkingText.giveLinked, hint: linkingText.giveLinkedHint },
            ]}
            value={full ? 'full' : 'linked'}
            onChange={(kind) => setFull(kind === 'full')}
            testid={T.linkKind}
          />
        )}
        <Segmented
          label={linkingText.days}
          options={DAYS.map((value) => ({ value, text: linkingText.dayOptions[value] ?? '' }))}
          value={days}
          onChange={setDays}
          testid={T.linkDays}
        />
        <p class="field-hint">{linkingText.daysHint}</p>
        {full && (
          <>
            <Notice tone="warn" icon="key">
              {linkingText.givesWords}
            </Notice>
            <SecretField
              label={s.passcode.old}
              value={passcode}
              onInput={setPasscode}
              testid={T.passcodeOld}
            />
          </>
        )}
        {problem && <ProblemNotice problem={problem} />}
        <div class="actions">
          <Button kind="primary" type="submit" busy={busy} disabled={!ready} testid={T.linkGive}>
            {busy && full ? linkingText.giving : linkingText.give}
          </Button>
        </div>
      </form>
    </Stage>
  )
}

function Waiting({ step, title, lead }: { step: string; title: string; lead: string }) {
  return (
    <Stage title={title} lead={lead} step={step} level={3}>
      <Busy />
    </Stage>
  )
}

function Done({ name, onClose }: { name: string; onClose: () => void }) {
  return (
    <Stage title={linkingText.doneTitle(name)} step="done" level={3}>
      <Notice tone="good">{linkingText.doneText}</Notice>
      <div class="actions">
        <Button kind="primary" testid={T.sheetConfirm} onClick={onClose}>
          {linkingText.finish}
        </Button>
      </div>
    </Stage>
  )
}

/** Asked of who closes the sheet, perhaps beside it, while a device waits. */
function StopAsk(props: { late: boolean; onStop: () => void; onStay: () => void }) {
  return (
    <Stage title={linkingText.stopAsk} step="stop" level={3}>
      <p class="lead">{props.late ? linkingText.stopLate : linkingText.stopText}</p>
      <div class="actions">
        <Button kind="primary" testid={T.linkStay} onClick={props.onStay}>
          {linkingText.goOn}
        </Button>
        <Button kind="danger" testid={T.linkStop} onClick={props.onStop}>
          {linkingText.stop}
        </Button>
      </div>
    </Stage>
  )
}

function StageOf(props: {
  linking: Linking | null
  same: boolean
  name: string
  onCode: (code: string) => Promise<unknown>
  onSame: () => void
  onDiffer: () => void
  onAgain: () => void
  onClose: () => void
}) {
  const { linking, name } = props
  switch (linking?.step) {
    case 'asking':
      return (
        <Waiting
          key="asking"
          step="asking"
          title={linkingText.askingTitle}
          lead={linkingText.askingText}
        />
      )
    case 'compare':
      if (props.same) return <GiveStage key="give" linking={linking} />
      return (
        <Compare
          key={linking.digits}
          digits={linking.digits}
          level={3}
          busy={false}
          problem={null}
          onYes={props.onSame}
          onNo={props.onDiffer}
        >
          <Asker name={linking.name} full={linking.full} />
        </Compare>
      )
    case 'waiting':
      return (
        <Waiting
          key="waiting"
          step="waiting"
          title={linkingText.waitingTitle}
          lead={linkingText.waitingOld}
        />
      )
    case 'moving':
      return <Moving key="moving" linking={linking} level={3} title={linkingText.movingTitleOld} />
    case 'done':
      return <Done key="done" name={name} onClose={props.onClose} />
    case 'failed':
      return <FailedOld problem={linking.problem} onAgain={props.onAgain} onClose={props.onClose} />
    default:
      return <ScanStage key="scan" onCode={props.onCode} />
  }
}

function FailedOld(props: { problem: Problem; onAgain: () => void; onClose: () => void }) {
  return (
    <Failed key="failed" problem={props.problem} level={3}>
      {!isUnsure(props.problem) && (
        <Button kind="primary" icon="retry" testid={T.linkAnew} onClick={props.onAgain}>
          {linkingText.scanAgain}
        </Button>
      )}
      <Button kind="ghost" testid={T.linkClose} onClick={props.onClose}>
        {s.common.close}
      </Button>
    </Failed>
  )
}

const RUNNING = new Set(['asking', 'compare', 'waiting', 'moving'])
const LATE = new Set(['waiting', 'moving'])

export function LinkSheet({ onClose }: { onClose: () => void }) {
  // What an earlier one left is not this one's.
  const [begun, setBegun] = useState(false)
  const waits = useRef(false)
  waits.current = begun
  /** The number that was found to be the same: a yes to one is none to another. */
  const [same, setSame] = useState<string | null>(null)
  const [asks, setAsks] = useState(false)
  const [differed, setDiffered] = useState<Problem | null>(null)
  const name = useRef('')
  const now = begun ? linking.value : null
  if (now?.step === 'compare') name.current = deviceTitle(now.name)
  const running = now !== null && RUNNING.has(now.step)
  // At once when it goes: an effect would be cleaned up a moment later.
  useLayoutEffect(() => {
    endLinking()
    // Gone for another view, or with the browser's back button: nobody can go on with it.
    return () => void cancelLinking(waits.current)
  }, [])

  const again = () => {
    endLinking()
    setBegun(false)
    setSame(null)
    setDiffered(null)
  }
  const scan = async (code: string) => {
    endLinking()
    setBegun(true)
    await run({ cmd: 'link_scan', code }).catch((error: unknown) => {
      setBegun(false)
      throw error
    })
  }
  const differ = () => {
    setDiffered({ code: 'link_differed', ...linkingText.differed })
    setBegun(false)
    void cancelLinking()
  }
  const stop = () => {
    const late = now !== null && LATE.has(now.step)
    onClose()
    if (!late) toast(linkingText.cancelled)
  }
  const close = () => (running && !differed ? setAsks(true) : onClose())
  return (
    <Sheet title={linkingText.scanTitle} onClose={close} testid={T.linkSheet}>
      {asks && running ? (
        <StopAsk key="stop" late={LATE.has(now.step)} onStop={stop} onStay={() => setAsks(false)} />
      ) : differed ? (
        <FailedOld problem={differed} onAgain={again} onClose={onClose} />
      ) : (
        <>
          <StageOf
            linking={now}
            same={same !== null && now?.step === 'compare' && same === now.digits}
            name={name.current}
            onCode={scan}
            onSame={() => setSame(now?.step === 'compare' ? now.digits : null)}
            onDiffer={differ}
            onAgain={again}
            onClose={onClose}
          />
          {running && (
            <div class="actions">
              <Button kind="ghost" testid={T.linkCancel} onClick={close}>
                {s.common.cancel}
              </Button>
            </div>
          )}
        </>
      )}
    </Sheet>
  )
}
