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
    toast(s.common.copyFailed)
    return false
  }
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
