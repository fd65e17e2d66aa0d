/** The relay that serves this page, if a relay does. */
import { signal } from '@preact/signals'

const RELAY_MS = 3_000

/** Whether one does, as far as was seen; null before it was, and while the host does not answer. */
export const servedByRelay = signal<boolean | null>(null)

/**
 * Its hint, or that of the relay which another host names. The page comes with a file that names
 * none (public/relay), which a relay answers in place of.
 */
export async function ownRelay(): Promise<string | null> {
  try {
    // A host that is slow to answer must not keep the account from opening.
    const signal = AbortSignal.timeout(RELAY_MS)
    const response = await fetch('./relay', { cache: 'no-store', signal })
    const body: unknown = response.ok ? await response.json().catch(() => null) : null
    const hint = (body as { hint?: unknown } | null)?.hint
    if (typeof hint !== 'string' || hint === '') {
      // One that was seen has not gone for good.
      servedByRelay.value ||= false
      return null
    }
    servedByRelay.value = true
    return hint
  } catch {
    return null
  }
}
