/** An account known before: its 18 words, checked while they are typed. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { WORDS } from '../limits'
import { AccountId } from '../parts/accountid'
import { Avatar } from '../parts/avatar'
import { Button } from '../parts/button'
import { Switch } from '../parts/field'
import { Notice } from '../parts/notice'
import { WordField } from '../parts/wordfield'
import type { AnswerOf } from '../state/api'
import { ask, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { LearnStep, NameStep, Page, PasscodeStep, Step, type Chosen, type Place } from './wizard'

const STEPS = 4
type Check = AnswerOf<'word_check'>

/** The core's word on what was entered so far. */
function useCheck(words: string[]): Check | null {
  const text = words.filter((word) => word !== '').join(' ')
  const [check, setCheck] = useState<{ for: string; check: Check } | null>(null)
  useEffect(() => {
    if (text === '') return
    let current = true
    ask('word_check', { cmd: 'check_words', words: text })
      .then((answer) => current && setCheck({ for: text, check: answer }))
      .catch(() => undefined) // Asked again with the next letter.
    return () => {
      current = false
    }
  }, [text])
  return check?.for === text ? check.check : null
}

/** Errors by field: the core counts words, and empty fields are none. */
export function errorsByField(words: string[], check: Check | null) {
  const filled = words.flatMap((word, field) => (word === '' ? [] : [field]))
  return new Map((check?.unknown ?? []).map((unknown) => [filled[unknown.at] ?? -1, unknown]))
}

function Outcome(props: { check: Check; accepted: boolean; onAccept: (on: boolean) => void }) {
  const { account, checksum } = props.check
  if (!account) return null
  const id = (
    <div class="leads-to">
      <Avatar id={account} name="" size={36} />
      <div>
        <span class="field-hint">{s.restore.leadsTo}</span>
        <AccountId id={account} testid={T.restoreAccount} />
      </div>
    </div>
  )
  if (checksum) {
    return (
      <Notice tone="good" title={s.restore.fine}>
        {id}
      </Notice>
    )
  }
  return (
    <Notice tone="warn" title={s.restore.warnTitle} testid={T.restoreWarning}>
      <p>{s.restore.warn}</p>
      {id}
      <Switch
        label={s.restore.warnAccept}
        on={props.accepted}
        onChange={props.onAccept}
        testid={T.restoreAccept}
      />
    </Notice>
  )
}

function EnterStep(props: {
  place: Place
  words: string[]
  onWords: (words: string[]) => void
  onNext: () => void
}) {
  const { words, onWords } = props
  const check = useCheck(words)
  const errors = errorsByField(words, check)
  const [focused, setFocused] = useState(0)
  const [accepted, setAccepted] = useState('')
  const fields = useRef<HTMLDivElement>(null)
  const focus = (field: number) =>
    fields.current?.querySelector<HTMLElement>(`[data-at="${field + 1}"]`)?.focus()

  const text = words.join(' ')
  const count = words.filter((word) => word !== '').length
  const complete = count === WORDS && check?.complete === true
  const good = complete && (check.checksum || accepted === text)
  const paste = (from: number, pasted: string[]) => {
    const start = pasted.length === WORDS ? 0 : from
    const next = words.map((word, i) => pasted[i - start] ?? word)
    onWords(next)
    const gap = next.indexOf('')
    setFocused(-1)
    focus(gap === -1 ? WORDS - 1 : gap)
  }

  return (
    <Step
      place={props.place}
      title={s.restore.title}
      lead={s.restore.lead}
      blocked={!good}
      onNext={props.onNext}
    >
      <div class="word-fields" ref={fields}>
        {words.map((word, field) => {
          const unknown = errors.get(field)
          const shown = unknown && field !== focused
          return (
            <WordField
              key={field}
              at={field + 1}
              value={word}
              testid={T.restoreWord}
              suggest
              autoFocus={field === 0}
              error={
                shown ? { text: s.restore.unknown(unknown.word), near: unknown.near } : undefined
              }
              onInput={(value) => {
                setFocused(field)
                onWords(words.map((old, i) => (i === field ? value : old)))
              }}
              onPaste={(pasted) => paste(field, pasted)}
              {...(field + 1 < WORDS ? { onTaken: () => focus(field + 1) } : {})}
              onFocus={() => setFocused(field)}
              onBlur={() => setFocused(-1)}
            />
          )
        })}
      </div>
      <div class="row between">
        <p class="field-hint" role="status">
          {s.restore.progress(count)}
        </p>
        <Button kind="ghost" small onClick={() => onWords(words.map(() => ''))}>
          {s.restore.clear}
        </Button>
      </div>
      {complete && (
        <Outcome
          check={check}
          accepted={accepted === text}
          onAccept={(on) => setAccepted(on ? text : '')}
        />
      )}
    </Step>
  )
}

export function Restore({ onLeave }: { onLeave: () => void }) {
  const [at, setAt] = useState(1)
  const [words, setWords] = useState<string[]>(() => Array<string>(WORDS).fill(''))
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState<Chosen | null>(null)
  const next = () => setAt(at + 1)
  const place = { at, of: STEPS, onBack: at === 1 ? onLeave : () => setAt(at - 1) }

  const restore = async () => {
    if (!chosen) return
    const account = { name: name.trim(), words: words.join(' '), ...chosen }
    await run({ cmd: 'create', ...account, restore: true })
  }
  return (
    <Page wide={at === 1}>
      {at === 1 && <EnterStep place={place} words={words} onWords={setWords} onNext={next} />}
      {at === 2 && <NameStep place={place} name={name} onName={setName} onNext={next} />}
      {at === 3 && (
        <PasscodeStep
          place={place}
          known={[name, ...words, s.app]}
          onNext={(passcode) => {
            setChosen(passcode)
            next()
          }}
        />
      )}
      {at === 4 && <LearnStep place={place} action={s.learn.agreeRestore} onAgree={restore} />}
    </Page>
  )
}
