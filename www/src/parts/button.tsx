/** Buttons: one primary a screen, the rest quiet. */
import type { ComponentChildren } from 'preact'
import { I, type IconName } from './icons'

interface Common {
  testid?: string
  onClick?: (event: MouseEvent) => void
  disabled?: boolean
}

export function Button(
  props: Common & {
    kind?: 'primary' | 'quiet' | 'ghost' | 'danger'
    type?: 'button' | 'submit'
    icon?: IconName
    busy?: boolean
    wide?: boolean
    small?: boolean
    /** The page it leads to is the one that is shown. */
    current?: boolean
    children: ComponentChildren
  },
) {
  const { kind = 'quiet', type = 'button', icon, busy, wide, small, testid, children } = props
  const size = `${wide ? ' wide' : ''}${small ? ' small' : ''}`
  return (
    <button
      type={type}
      class={`button ${kind}${size}`}
      data-testid={testid}
      aria-busy={busy}
      aria-current={props.current ? 'page' : undefined}
      // Stays focusable, so that the focus is not lost while it works.
      aria-disabled={busy || props.disabled}
      onClick={(event) => {
        if (busy || props.disabled) event.preventDefault()
        else props.onClick?.(event)
      }}
    >
      {busy ? <span class="spinner" aria-hidden="true" /> : icon && <I name={icon} />}
      <span>{children}</span>
    </button>
  )
}

export function IconButton(
  props: Common & {
    icon: IconName
    label: string
    expanded?: boolean
    pressed?: boolean
    current?: boolean
  },
) {
  const { icon, label, testid, expanded, pressed } = props
  return (
    <button
      type="button"
      class="icon-button"
      data-testid={testid}
      aria-label={label}
      aria-expanded={expanded}
      aria-pressed={pressed}
      aria-current={props.current ? 'page' : undefined}
      title={label}
      disabled={props.disabled}
      onClick={(event) => props.onClick?.(event)}
    >
      <I name={icon} />
    </button>
  )
}
