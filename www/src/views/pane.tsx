/** The frame of the right pane: a head with the way back on phones, and what scrolls below. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { IconButton } from '../parts/button'
import { focusStart } from '../parts/focus'
import { home } from '../state/route'
import { s } from '../strings'
import { T } from '../testids'

export function Pane(props: {
  title: string
  lead?: string
  testid: string
  children: ComponentChildren
}) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => focusStart(title.current), [])
  return (
    <section
      class="pane"
      data-testid={props.testid}
      onKeyDown={(event) => {
        if (event.key === 'Escape' && !event.defaultPrevented) home()
      }}
    >
      <div class="pane-column">
        <header class="pane-head">
          <span class="pane-back">
            <IconButton icon="back" label={s.common.back} testid={T.back} onClick={home} />
          </span>
          <h1 ref={title} tabIndex={-1}>
            {props.title}
          </h1>
        </header>
        {props.lead && <p class="lead">{props.lead}</p>}
        {props.children}
      </div>
    </section>
  )
}
