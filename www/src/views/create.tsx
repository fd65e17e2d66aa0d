/** A new account: name, 18 words, three of them asked back, passcode, who learns what. */
import { useEffect, useState } from 'preact/hooks'
import { WORDS } from '../limits'
import { Button } from '../parts/button'
import { CopyButton } from '../parts/copy'
import { Notice } from '../parts/notice'
import { useTask } from '../parts/task'
import { splitWords, WordField } from '../parts/wordfield'
import { ask, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { LearnStep, NameStep, Page, PasscodeStep, Step, type Chosen, type Place } from './wizard'

const STEPS = 5

export function WordList({ words }: { words: string[] }) {
  return (
    <ol class="words" data-testid={T.words}>
      {words.map((word, i) => (
        <li key={i}>
          <span class="word-number" aria-hidden="true">
            {i + 1}
          </span>
          <span data-testid={T.word} data-at={i + 1}>
            {word}
          </span>
        </li>
      ))}
    </ol>
  )
}

function WordsStep(props: {
  place: Place
  words: string[] | null
  onWords: (words: string[]) => void
  onNext: () => void
}) {
  const { problem, run: attempt } = useTask()
  const [copied, setCopied] = useState(false)
  const { words } = props
  useEffect(() => {
    if (words) return
    void attempt(async () => props.onWords((await ask('words', { cmd: 'new_words' })).words))
  }, [])
  return (
    <Step
      place={props.place}
      title={s.words.title}
      lead={s.words.lead}
      blocked={!words}
      problem={problem}
      onNext={props.onNext}
    >
      {words ? <WordList words={words} /> : <p class="field-hint">{s.words.drawing}</p>}
      <Notice tone="warn">{s.words.warn}</Notice>
      {words && (
        <div class="row">
          <CopyButton
            text={words.join(' ')}
            label={s.words.copy}
            testid={T.wordsCopy}
            kind="ghost"
            small
            onCopied={() => setCopied(true)}
          />
          {copied && <p class="field-hint">{s.words.copyWarn}</p>}
        </div>
      )}
    </Step>
  )
}

/** Three places (from 0) in ascending order, one in each third of the list. */
export function drawPlaces(random: (n: number) => number): [number, number, number] {
  const third = WORDS / 3
  return [random(third), third + random(third), 2 * third + random(third)]
}

function randomBelow(n: number): number {
  const [value] = crypto.getRandomValues(new Uint32Array(1))
  return (value ?? 0) % n
}

function ConfirmStep(props: { place: Place; words: string[]; onNext: () => void }) {
  const { words } = props
  const [places] = useState(() => drawPlaces(randomBelow))
  const [typed, setTyped] = useState<Record<number, string>>({})
  const [tried, setTried] = useState(false)
  const right = (place: number) => typed[place] === words[place]
  const complaint = (place: number) =>
    typed[place] ? s.confirm.wrong(place + 1) : s.confirm.missing(place + 1)
  const paste = (pasted: string[]) => {
    // All 18, or the three that were asked for.
    const from = (place: number, i: number) => pasted[pasted.length === WORDS ? place : i] ?? ''
    setTyped(Object.fromEntries(places.map((place, i) => [place, from(place, i)])))
  }
  return (
    <Step
      place={props.place}
      title={s.confirm.title}
      lead={s.confirm.lead}
      onNext={() => (places.every(right) ? props.onNext() : setTried(true))}
    >
      <div class="word-fields three">
        {places.map((place, i) => (
          <WordField
            key={place}
            at={place + 1}
            value={typed[place] ?? ''}
            testid={T.confirmWord}
            autoFocus={i === 0}
            error={tried && !right(place) ? { text: complaint(place), near: [] } : undefined}
            onInput={(value) => setTyped({ ...typed, [place]: splitWords(value)[0] ?? '' })}
            onPaste={paste}
          />
        ))}
      </div>
      <div class="row">
        <Button kind="ghost" small testid={T.wordsAgain} onClick={props.place.onBack}>
          {s.confirm.again}
        </Button>
      </div>
    </Step>
  )
}

export function Create({ onLeave }: { onLeave: () => void }) {
  const [at, setAt] = useState(1)
  const [name, setName] = useState('')
  const [words, setWords] = useState<string[] | null>(null)
  const [chosen, setChosen] = useState<Chosen | null>(null)
  const next = () => setAt(at + 1)
  const place = { at, of: STEPS, onBack: at === 1 ? onLeave : () => setAt(at - 1) }

  const create = async () => {
    if (!words || !chosen) return
    const account = { name: name.trim(), words: words.join(' '), ...chosen }
    await run({ cmd: 'create', ...account, restore: false })
  }
  return (
    <Page>
      {at === 1 && <NameStep place={place} name={name} onName={setName} onNext={next} />}
      {at === 2 && <WordsStep place={place} words={words} onWords={setWords} onNext={next} />}
      {at === 3 && words && <ConfirmStep place={place} words={words} onNext={next} />}
      {at === 4 && (
        <PasscodeStep
          place={place}
          known={[name, ...(words ?? []), s.app]}
          onNext={(passcode) => {
            setChosen(passcode)
            next()
          }}
        />
      )}
      {at === 5 && <LearnStep place={place} action={s.learn.agreeCreate} onAgree={create} />}
    </Page>
  )
}
