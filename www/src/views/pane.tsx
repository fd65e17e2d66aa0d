/** The frame of the right pane: a head with the way back on phones, and what scrolls below. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { IconButton } from '../parts/button'
import { focusStart, useKeptFocus } from '../parts/focus'
import { home, onEscape } from '../state/route'
import { s } from '../strings'
import { T } from '../testids'

export function Pane(props: {
  title: string
  lead?: string
  testid: string
  children: ComponentChildren
}) {
  const pane = useRef<HTMLElement>(null)
  const title = useRef<HTMLHeadingElement>(null)
  useKeptFocus(pane, title)
  useEffect(() => focusStart(title.current), [])
  return (
    <section class="pane" data-testid={props.testid} ref={pane} onKeyDown={onEscape}>
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
