/** Errors for people. Whatever was thrown becomes a `Problem` with its three sentences. */
import { s } from '../strings'
import type { Problem } from './api'

/** Of what was asked before the page stopped: there is nobody left to tell. */
export const STOPPED = 'page_stopped'

export class ProblemError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.happened)
  }
}

function isProblem(value: unknown): value is Problem {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Record<string, unknown>
  return ['code', 'happened', 'safe', 'todo'].every((key) => typeof fields[key] === 'string')
}

/** The core throws errors whose message is a problem as JSON; all others are unexpected. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem
  const text = error instanceof Error ? error.message : String(error)
  try {
    const parsed: unknown = JSON.parse(text)
    if (isProblem(parsed)) return parsed
  } catch {
    // Not JSON: an error of the browser or a bug.
  }
  return { code: 'unexpected', ...s.problem.unexpected(text) }
}
