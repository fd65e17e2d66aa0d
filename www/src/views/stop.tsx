/** Pages that stand alone: while the store is read, and when nothing can go on. */
import { useEffect, useRef } from 'preact/hooks'
import { Button } from '../parts/button'
import { CopyButton } from '../parts/copy'
import { I, Mark } from '../parts/icons'
import { Notice } from '../parts/notice'
import type { Problem } from '../state/api'
import { pendingLink } from '../state/route'
import { start } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

export function Starting() {
  return (
    <main class="splash" id="main" data-testid={T.starting} aria-busy="true">
      <Mark size={56} />
      <p>{s.starting}</p>
    </main>
  )
}

export function Stop({ problem }: { problem: Problem }) {
  const second = problem.code === 'second_tab'
  const link = pendingLink.value
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => title.current?.focus(), [problem])
  return (
    <main class="splash stop" id="main" data-testid={T.stop} data-code={problem.code}>
      <span class="empty-icon">
        <I name={second ? 'copy' : 'warn'} size={26} />
      </span>
      <div class="stack tight">
        <h1 ref={title} tabIndex={-1}>
          {problem.happened}
        </h1>
        <p class="lead">{problem.safe}</p>
        <p class="lead">{problem.todo}</p>
      </div>
      {second && link && (
        <Notice icon="link" title={s.open.pendingTitle} testid={T.pending}>
          <p>{s.stop.pending}</p>
          <CopyButton
            text={link.includes('#') ? link : `${location.origin}${location.pathname}#${link}`}
            label={s.invite.copy}
            small
          />
        </Notice>
      )}
      {second ? (
        <Button kind="primary" testid={T.stopAction} onClick={() => void start(true)}>
          {s.stop.useHere}
        </Button>
      ) : (
        <Button testid={T.stopAction} onClick={() => location.reload()}>
          {s.stop.reload}
        </Button>
      )}
    </main>
  )
}
