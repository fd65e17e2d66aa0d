/** How hard a passcode is to guess. The dictionaries are a lazy part of their own. */
import { PASSCODE_CHARS_MIN } from '../limits'

export type Score = 0 | 1 | 2 | 3 | 4
type Check = (passcode: string, known: string[]) => Score

let loading: Promise<Check> | null = null

/** Starts loading when a passcode screen opens; a failed load is tried again at the next. */
export function loadCheck(): Promise<Check> {
  loading ??= Promise.all([import('@zxcvbn-ts/core'), import('@zxcvbn-ts/language-common')])
    .then(([{ ZxcvbnFactory }, { dictionary, adjacencyGraphs }]) => {
      const factory = new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs })
      // Only the start decides, and long texts would take long to check.
      return (passcode: string, known: string[]) =>
        factory.check(passcode.slice(0, 64), known).score
    })
    .catch((error: unknown) => {
      loading = null
      throw error
    })
  return loading
}

export type Verdict = 'empty' | 'short' | 'checking' | 'refused' | 'weak' | 'fine' | 'unchecked'

/** Without a check (it failed to load) only length counts: `unchecked` needs 12 characters. */
export function verdictOf(passcode: string, score: Score | 'failed' | null): Verdict {
  const length = [...passcode].length
  if (length === 0) return 'empty'
  if (length < PASSCODE_CHARS_MIN) return 'short'
  if (score === null) return 'checking'
  if (score === 'failed') return length >= 12 ? 'fine' : 'unchecked'
  if (score <= 1) return 'refused'
  return score === 2 ? 'weak' : 'fine'
}

export const isUsable = (verdict: Verdict) => verdict === 'weak' || verdict === 'fine'
