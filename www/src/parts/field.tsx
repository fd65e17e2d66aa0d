/** Fields of forms: the label above, the hint below, the error in its place when there is one. */
import type { ComponentChildren, Ref } from 'preact'
import { useId, useState } from 'preact/hooks'
import { s } from '../strings'
import { T } from '../testids'
import { IconButton } from './button'
import { I } from './icons'

interface Base {
  label: string
  value: string
  onInput: (value: string) => void
  hint?: ComponentChildren
  error?: string | null | undefined
  testid?: string
  placeholder?: string
  inputRef?: Ref<HTMLInputElement>
  autoFocus?: boolean
}

export function Hint(props: {
  id: string
  hint?: ComponentChildren
  error?: string | null | undefined
}) {
  if (props.error) {
    return (
      <p class="field-error" id={props.id} role="alert">
        <I name="warn" size={16} />
        <span>{props.error}</span>
      </p>
    )
  }
  if (!props.hint) return null
  return (
    <p class="field-hint" id={props.id}>
      {props.hint}
    </p>
  )
}

export function Field(props: Base & { autocomplete?: string; children?: ComponentChildren }) {
  const id = useId()
  const note = `${id}-note`
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        class="input"
        type="text"
        ref={props.inputRef ?? null}
        value={props.value}
        placeholder={props.placeholder}
        data-testid={props.testid}
        autocomplete={props.autocomplete ?? 'off'}
        autoFocus={props.autoFocus}
        aria-invalid={Boolean(props.error)}
        aria-describedby={props.error || props.hint ? note : undefined}
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
      <Hint id={note} hint={props.hint} error={props.error} />
      {props.children}
    </div>
  )
}

export function SecretField(
  props: Base & { fresh?: boolean; children?: ComponentChildren; readOnly?: boolean },
) {
  const id = useId()
  const note = `${id}-note`
  const [shown, setShown] = useState(false)
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <div class="input-with-button">
        <input
          id={id}
          class="input"
          {...(shown ? ({ type: 'text' } as const) : ({ type: 'password' } as const))}
          ref={props.inputRef ?? null}
          value={props.value}
          readOnly={props.readOnly}
          data-testid={props.testid}
          autocomplete={props.fresh ? 'new-password' : 'current-password'}
          autocapitalize="off"
          spellcheck={false}
          autoFocus={props.autoFocus}
          aria-invalid={Boolean(props.error)}
          aria-describedby={props.error || props.hint ? note : undefined}
          onInput={(event) => props.onInput(event.currentTarget.value)}
        />
        <IconButton
          icon={shown ? 'eyeOff' : 'eye'}
          label={shown ? s.common.hide : s.common.show}
          pressed={shown}
          testid={T.passcodeShow}
          onClick={() => setShown(!shown)}
        />
      </div>
      <Hint id={note} hint={props.hint} error={props.error} />
      {props.children}
    </div>
  )
}

export function TextArea(props: Omit<Base, 'inputRef'> & { rows?: number; mono?: boolean }) {
  const id = useId()
  const note = `${id}-note`
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <textarea
        id={id}
        class={props.mono ? 'input mono' : 'input'}
        rows={props.rows ?? 3}
        value={props.value}
        placeholder={props.placeholder}
        data-testid={props.testid}
        autocomplete="off"
        autoFocus={props.autoFocus}
        aria-invalid={Boolean(props.error)}
        aria-describedby={props.error || props.hint ? note : undefined}
        onInput={(event) => props.onInput(event.currentTarget.value)}
      />
      <Hint id={note} hint={props.hint} error={props.error} />
    </div>
  )
}

export function Switch(props: {
  label: ComponentChildren
  hint?: ComponentChildren
  on: boolean
  onChange: (on: boolean) => void
  testid?: string
  contact?: string
}) {
  return (
    <label class="switch-row">
      <span class="switch-text">
        <span>{props.label}</span>
        {props.hint && <span class="field-hint">{props.hint}</span>}
      </span>
      <input
        type="checkbox"
        role="switch"
        class="switch"
        checked={props.on}
        data-testid={props.testid}
        data-contact={props.contact}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
    </label>
  )
}

/** Choices that need a word each, one below the other. */
export function Choices<V extends string>(props: {
  label: string
  options: readonly { value: V; title: string; hint: string }[]
  value: V
  onChange: (value: V) => void
  testid: string
}) {
  const name = useId()
  return (
    <fieldset class="field">
      <legend>{props.label}</legend>
      <div class="choices">
        {props.options.map(({ value, title, hint }) => (
          <label key={value} class="choice">
            <input
              type="radio"
              name={name}
              value={value}
              checked={value === props.value}
              data-testid={props.testid}
              aria-describedby={`${name}-${value}`}
              onChange={() => props.onChange(value)}
            />
            <span class="choice-text">
              <strong>{title}</strong>
              <span class="field-hint" id={`${name}-${value}`}>
                {hint}
              </span>
            </span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}

/** A few choices of which one is taken, side by side. */
export function Segmented<V extends string | number>(props: {
  label: string
  options: readonly { value: V; text: string }[]
  value: V
  onChange: (value: V) => void
  testid?: string
  /** The label is said by a heading already. */
  quiet?: boolean
}) {
  const name = useId()
  return (
    <fieldset class="field segmented">
      <legend class={props.quiet ? 'unseen' : ''}>{props.label}</legend>
      <div class="segments">
        {props.options.map(({ value, text }) => (
          <label key={value} class="segment">
            <input
              type="radio"
              name={name}
              value={value}
              checked={value === props.value}
              data-testid={props.testid}
              onChange={() => props.onChange(value)}
            />
            <span>{text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}
