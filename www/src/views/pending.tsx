/**
 * The invitation somebody opened before this page has an account or is unlocked: whether it can be
 * used at all, and whose page this is, told before any words or passcode are asked for.
 */
import { useEffect, useState } from 'preact/hooks'
import { Notice, ProblemNotice } from '../parts/notice'
import type { Problem } from '../state/api'
import { problemOf } from '../state/problem'
import { pendingLink } from '../state/route'
import { run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

/** No second look changes these. */
const FINAL = new Set([
  'not_a_link',
  'link_mangled',
  'link_newer',
  'invitation_expired',
  'invitation_revoked',
])

/** A link that can never be answered is not waited with. */
export function giveUp(link: string, { code }: Problem): boolean {
  const final = FINAL.has(code)
  if (final && pendingLink.peek() === link) pendingLink.value = null
  return final
}

export function HostNote() {
  return (
    <p class="host-note" data-testid={T.openHost}>
      {s.open.hostNote(location.host)}
    </p>
  )
}

export function PendingInvite({ locked }: { locked: boolean }) {
  const link = pendingLink.value
  const [problem, setProblem] = useState<Problem | null>(null)
  useEffect(() => {
    if (!link) return
    let current = true
    setProblem(null)
    run({ cmd: 'check_link', link }).catch((error: unknown) => {
      const problem = problemOf(error)
      // Other errors are told where it is looked up, once the account is open.
      if (current && giveUp(link, problem)) setProblem(problem)
    })
    return () => {
      current = false
    }
  }, [link])
  if (!link) return problem && <ProblemNotice problem={problem} testid={T.pending} />
  return (
    <Notice icon="link" title={s.open.pendingTitle} testid={T.pending}>
      <p>{locked ? s.open.pendingLocked : s.open.pendingNew}</p>
      <HostNote />
    </Notice>
  )
}
