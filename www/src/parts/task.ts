/** One thing a form does at a time: whether it is under way, and how it failed. */
import { useRef, useState } from 'preact/hooks'
import type { Problem } from '../state/api'
import { problemOf } from '../state/problem'

export function useTask() {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem | null>(null)
  const running = useRef(false)
  const run = async (task: () => Promise<unknown>): Promise<boolean> => {
    if (running.current) return false
    running.current = true
    setBusy(true)
    setProblem(null)
    try {
      await task()
      return true
    } catch (error) {
      setProblem(problemOf(error))
      return false
    } finally {
      running.current = false
      setBusy(false)
    }
  }
  return { busy, problem, run, clear: () => setProblem(null) }
}
