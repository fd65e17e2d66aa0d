/**
 * The invitation somebody opened before this page has an account or is unlocked: who invites, and
 * whose page this is, told before any words or passcode are asked for.
 */
import { useEffect, useState } from 'preact/hooks'
import { Notice } from '../parts/notice'
import type { AnswerOf } from '../state/api'
import { pendingLink } from '../state/route'
import { ask } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

export function HostNote() {
  return (
    <p class="host-note" data-testid={T.openHost}>
      {s.open.hostNote(location.host)}
    </p>
  )
}

export function PendingInvite({ locked }: { locked: boolean }) {
  const link = pendingLink.value
  const [opened, setOpened] = useState<AnswerOf<'opened'> | null>(null)
  useEffect(() => {
    if (!link) return
    let current = true
    ask('opened', { cmd: 'open_invite', link })
      .then((answer) => current && setOpened(answer))
      .catch(() => undefined) // Looked up again, with its errors, once the account is open.
    return () => {
      current = false
    }
  }, [link])
  if (!link) return null
  const title = opened?.name ? s.open.pendingFrom(opened.name) : s.open.pendingTitle
  return (
    <Notice icon="link" title={<span dir="auto">{title}</span>} testid={T.pending}>
      <p>{locked ? s.open.pendingLocked : s.open.pendingNew}</p>
      <HostNote />
    </Notice>
  )
}
