/** One of the 18 words, with suggestions from the list: arrows choose, Enter or Tab takes. */
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { ask } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

export interface WordFieldProps {
  /** From 1. */
  at: number
  value: string
  testid: string
  error?: { text: string; near: string[] } | undefined
  suggest?: boolean
  autoFocus?: boolean
  onInput: (value: string) => void
  /** Several words at once. */
  onPaste?: (words: string[]) => void
  /** The word is complete: on to the next. */
  onTaken?: () => void
  onFocus?: () => void
  onBlur?: () => void
}

/** Lower case, and without the numbers and dots of a numbered list. */
export function splitWords(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[\s,;.\d)]+/)
    .filter((word) => word !== '')
}

function useCompletions(prefix: string, wanted: boolean): string[] {
  const [found, setFound] = useState<{ for: string; words: string[] }>({ for: '', words: [] })
  useEffect(() => {
    if (!wanted || prefix === '') return
    let current = true
    ask('completions', { cmd: 'complete', prefix })
      .then(({ words }) => current && setFound({ for: prefix, words }))
      .catch(() => undefined) // No suggestions is no failure: words can be typed in full.
    return () => {
      current = false
    }
  }, [prefix, wanted])
  return wanted && found.for === prefix ? found.words : []
}

export function WordField(props: WordFieldProps) {
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const [typing, setTyping] = useState(false)
  const [chosen, setChosen] = useState(0)
  const all = useCompletions(props.value, typing && props.suggest === true)
  const words = all.length === 1 && all[0] === props.value ? [] : all

  const take = (word: string) => {
    props.onInput(word)
    setTyping(false)
    props.onTaken?.()
  }
  /** The word as typed, if it is one, else the suggestion that is chosen. */
  const accept = (typed: string) => {
    const word = words[chosen]
    take(word === undefined || typed !== props.value || all.includes(typed) ? typed : word)
  }
  // The keyboards of phones name no keys: a space, or several words at once, come as input.
  const onInput = (raw: string) => {
    const parts = splitWords(raw)
    if (parts.length > 1 && props.onPaste) {
      setTyping(false)
      props.onPaste(parts)
      return
    }
    const word = raw.trim().toLowerCase()
    if (word !== '' && /\s$/.test(raw)) {
      accept(word)
      return
    }
    setTyping(true)
    setChosen(0)
    props.onInput(word)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (words.length === 0) {
      // Without a next field Enter is left to the form.
      if (event.key === ' ' || (event.key === 'Enter' && props.onTaken)) {
        event.preventDefault()
        setTyping(false)
        props.onTaken?.()
      }
      return
    }
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step !== 0) {
      event.preventDefault()
      setChosen((chosen + step + words.length) % words.length)
    }
    const takes = event.key === 'Enter' || event.key === ' ' || event.key === 'Tab'
    if (takes && !event.shiftKey) {
      event.preventDefault()
      accept(props.value)
    }
    if (event.key === 'Escape') {
      event.stopPropagation()
      setTyping(false)
    }
  }
  const onPaste = (event: ClipboardEvent) => {
    const pasted = splitWords(event.clipboardData?.getData('text') ?? '')
    if (pasted.length < 2 || !props.onPaste) return
    event.preventDefault()
    setTyping(false)
    props.onPaste(pasted)
  }

  return (
    <div class={`word-field${props.error ? ' wrong' : ''}`}>
      <label for={id}>
        <span class="unseen">{s.words.wordAt(props.at)}</span>
        <span aria-hidden="true">{props.at}</span>
      </label>
      <input
        id={id}
        ref={input}
        type="text"
        value={props.value}
        role="combobox"
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        autoFocus={props.autoFocus}
        aria-expanded={words.length > 0}
        aria-controls={`${id}-list`}
        aria-activedescendant={words.length > 0 ? `${id}-${chosen}` : undefined}
        aria-invalid={Boolean(props.error)}
        aria-describedby={props.error ? `${id}-error` : undefined}
        data-testid={props.testid}
        data-at={props.at}
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        onPaste={onPaste}
        onFocus={props.onFocus}
        onBlur={() => {
          setTyping(false)
          props.onBlur?.()
        }}
      />
      <ul
        class="suggestions"
        id={`${id}-list`}
        role="listbox"
        aria-label={s.restore.suggestions(props.at)}
        hidden={words.length === 0}
      >
        {words.map((word, at) => (
          <li
            key={word}
            id={`${id}-${at}`}
            role="option"
            aria-selected={at === chosen}
            data-testid={T.restoreSuggestion}
            // Before the blur, which would close the list.
            onPointerDown={(event) => {
              event.preventDefault()
              take(word)
            }}
          >
            {word}
          </li>
        ))}
      </ul>
      {props.error && (
        <p class="word-error" id={`${id}-error`} data-testid={T.restoreError}>
          {props.error.text}
          {props.error.near.length > 0 && ` ${s.restore.near} `}
          {props.error.near.map((word) => (
            <button key={word} type="button" class="link" onClick={() => take(word)}>
              {word}
            </button>
          ))}
        </p>
      )}
    </div>
  )
}
