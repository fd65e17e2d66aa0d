/** What is loaded later: Settings once an account is open, the wizards beside Welcome, the scanner. */
import type { ComponentChildren } from 'preact'
import { Button } from '../parts/button'
import { later } from '../parts/later'
import { s } from '../strings'
import { T } from '../testids'
import { Pane } from './pane'

export const settings = later(
  () => import('./settings').then(({ Settings }) => Settings),
  ({ children }) => (
    <Pane title={s.settings.title} testid={T.settings}>
      {children}
    </Pane>
  ),
)

interface Way {
  onLeave: () => void
}

function Alone(props: Way & { children: ComponentChildren }) {
  return (
    <main class="page" id="main">
      <div class="page-card stack">
        {props.children}
        <div>
          <Button kind="ghost" icon="back" testid={T.back} onClick={props.onLeave}>
            {s.common.back}
          </Button>
        </div>
      </div>
    </main>
  )
}

export const wizards = {
  create: later<Way>(() => import('./create').then(({ Create }) => Create), Alone),
  restore: later<Way>(() => import('./restore').then(({ Restore }) => Restore), Alone),
  import: later<Way>(() => import('./import').then(({ Import }) => Import), Alone),
  link: later<Way>(() => import('./linknew').then(({ LinkNew }) => LinkNew), Alone),
}

/** Reads a code; who shows it says what for. */
export const scanner = later<{ onText: (text: string) => void; first?: boolean }>(
  () => import('../parts/scanner').then(({ Scanner }) => Scanner),
  ({ children }) => <div class="scanner">{children}</div>,
)
