/** The relay that serves this page, if a relay does. */

const RELAY_MS = 3_000

/** Whether one does, as far as was seen. */
export let servedByRelay = false

/** Its hint. Any other host has no such file: fine. */
export async function ownRelay(): Promise<string | null> {
  try {
    // A host that is slow to answer must not keep the account from opening.
    const signal = AbortSignal.timeout(RELAY_MS)
    const response = await fetch('/relay', { cache: 'no-store', signal })
    if (!response.ok) return null
    const body: unknown = await response.json()
    const hint = (body as { hint?: unknown } | null)?.hint
    if (typeof hint !== 'string') return null
    servedByRelay = true
    return hint
  } catch {
    return null
  }
}
