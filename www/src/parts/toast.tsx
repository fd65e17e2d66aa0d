/** Short words at the foot of the page after something was done, read out to screen readers. */
import { effect, signal } from '@preact/signals'
import type { Problem } from '../state/api'
import { problemOf, STOPPED } from '../state/problem'
import { isOpen } from '../state/store'
import { T } from '../testids'
import { ProblemNotice } from './notice'

interface Toast {
  id: number
  text?: string
  problem?: Problem
}

const toasts = signal<Toast[]>([])
/** Spoken, not shown: new messages while another view is open. */
export const announcement = signal('')
// They quote messages, which a locked page must not hold.
effect(() => {
  if (isOpen.value) return
  toasts.value = []
  announcement.value = ''
})
let next = 1
const SHOWN_MS = 4_000
const SHOWN_PROBLEM_MS = 15_000

function drop(id: number): void {
  toasts.value = toasts.value.filter((t) => t.id !== id)
}

function add(toast: Omit<Toast, 'id'>, ms: number): void {
  const id = next++
  toasts.value = [...toasts.value, { id, ...toast }].slice(-3)
  setTimeout(() => drop(id), ms)
}

export function toast(text: string): void {
  add({ text }, SHOWN_MS)
}

/** For failures of small actions that have no form to show them in. */
export function toastProblem(error: unknown): void {
  const problem = problemOf(error)
  if (problem.code !== STOPPED) add({ problem }, SHOWN_PROBLEM_MS)
}

/** Where an open sheet is, everything outside of it is inert and below: it says what is said. */
export const sheets = signal(0)

export function Toasts({ inSheet = false }: { inSheet?: boolean }) {
  const here = inSheet === sheets.value > 0
  return (
    <>
      <div class="toasts" role="status" aria-live="polite">
        {(here ? toasts.value : []).map((t) =>
          t.problem ? (
            <ProblemNotice
              key={t.id}
              problem={t.problem}
              testid={T.toast}
              onDismiss={() => drop(t.id)}
            />
          ) : (
            <div key={t.id} class="toast" data-testid={T.toast}>
              {t.text}
            </div>
          ),
        )}
      </div>
      <div class="unseen" aria-live="polite">
        {here && announcement.value}
      </div>
    </>
  )
}
