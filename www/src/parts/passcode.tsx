/** Choosing a passcode or passphrase: entered twice, with its strength told while typing. */
import { useEffect, useState } from 'preact/hooks'
import { PASSCODE_CHARS_MIN } from '../limits'
import { s } from '../strings'
import { T } from '../testids'
import { SecretField } from './field'
import { isUsable, loadCheck, verdictOf, type Score, type Verdict } from './strength'

/** The verdict on what is being typed; the check follows the typing. */
export function useStrength(passcode: string, known: string[]): [Verdict, Score | null] {
  const [checked, setChecked] = useState<{ for: string; score: Score | 'failed' } | null>(null)
  useEffect(() => {
    let current = true
    loadCheck()
      .then((check) => current && setChecked({ for: passcode, score: check(passcode, known) }))
      .catch(() => current && setChecked({ for: passcode, score: 'failed' }))
    return () => {
      current = false
    }
  }, [passcode])
  const score = checked?.for === passcode ? checked.score : null
  return [verdictOf(passcode, score), typeof score === 'number' ? score : null]
}

function Meter({
  passcode,
  verdict,
  score,
}: {
  passcode: string
  verdict: Verdict
  score: Score | null
}) {
  const missing = PASSCODE_CHARS_MIN - [...passcode].length
  const words: Record<Verdict, string> = {
    empty: s.passcode.hint,
    short: s.passcode.short(missing),
    checking: s.passcode.checking,
    refused: s.passcode.refused,
    weak: s.passcode.weak,
    fine: '',
    unchecked: s.passcode.unchecked,
  }
  const told = score !== null && verdict !== 'short' && verdict !== 'empty'
  const level = told ? score : 0
  return (
    <div class="strength" data-testid={T.strength} data-score={score ?? undefined}>
      <div class={`strength-bar level-${level}`} aria-hidden="true">
        <i />
        <i />
        <i />
        <i />
      </div>
      <p class="field-hint" role="status">
        {told && <strong>{s.passcode.strength[score]}. </strong>}
        {words[verdict]}
      </p>
    </div>
  )
}

export function NewPasscode(props: {
  label?: string
  repeat?: string
  testid?: string
  known: string[]
  /** Gives the passcode once it may be used, else null. */
  onChange: (passcode: string | null) => void
  autoFocus?: boolean
}) {
  const [passcode, setPasscode] = useState('')
  const [repeat, setRepeat] = useState('')
  const [verdict, score] = useStrength(passcode, props.known)
  const good = isUsable(verdict) && repeat === passcode
  useEffect(() => props.onChange(good ? passcode : null), [good, passcode])
  const differ = repeat.length >= passcode.length && repeat !== passcode && passcode !== ''
  return (
    <>
      <SecretField
        label={props.label ?? s.passcode.label}
        value={passcode}
        onInput={setPasscode}
        testid={props.testid ?? T.passcode}
        {...(props.autoFocus ? { autoFocus: true } : {})}
        fresh
      >
        <Meter passcode={passcode} verdict={verdict} score={score} />
      </SecretField>
      <SecretField
        label={props.repeat ?? s.passcode.repeat}
        value={repeat}
        onInput={setRepeat}
        testid={T.passcodeRepeat}
        error={differ ? s.passcode.differ : null}
        fresh
      />
    </>
  )
}
