/** A button that copies, and says whether it did. */
import { useState } from 'preact/hooks'
import { s } from '../strings'
import { Button } from './button'
import { toast } from './toast'

export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    if (copyOldWay(text)) return true
    toast(s.common.copyFailed)
    return false
  }
}

/** Where the clipboard is kept from the page: what is selected can be copied in answer to a click. */
function copyOldWay(text: string): boolean {
  const focused = document.activeElement
  const field = document.createElement('textarea')
  field.className = 'unseen'
  field.readOnly = true
  field.value = text
  // What is shown over the page keeps the focus inside of it.
  const over = document.querySelector('dialog[open]') ?? document.body
  over.append(field)
  field.focus()
  field.select()
  let done = false
  try {
    done = document.execCommand('copy')
  } catch {
    // Refused as well.
  }
  field.remove()
  if (focused instanceof HTMLElement) focused.focus()
  return done
}

export function CopyButton(props: {
  text: string
  label?: string
  done?: string
  kind?: 'primary' | 'quiet' | 'ghost'
  small?: boolean
  testid?: string
  onCopied?: () => void
}) {
  const [copied, setCopied] = useState(false)
  const onClick = async () => {
    if (!(await copy(props.text))) return
    setCopied(true)
    props.onCopied?.()
    setTimeout(() => setCopied(false), 2_500)
  }
  return (
    <Button
      kind={props.kind ?? 'quiet'}
      icon={copied ? 'check' : 'copy'}
      {...(props.small ? { small: true } : {})}
      {...(props.testid ? { testid: props.testid } : {})}
      onClick={onClick}
    >
      <span aria-live="polite">
        {copied ? (props.done ?? s.common.copied) : (props.label ?? s.common.copy)}
      </span>
    </Button>
  )
}
