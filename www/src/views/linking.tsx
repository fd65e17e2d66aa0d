/** What both devices show while one is linked: the number, how far it is, and how it failed. */
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { Button } from '../parts/button'
import { focusStart } from '../parts/focus'
import { Notice, ProblemNotice } from '../parts/notice'
import type { Linking, Problem } from '../state/api'
import { s } from '../strings'
import { devicesText, linkingText } from '../stringsDevices'
import { T } from '../testids'

export type At<S extends Linking['step']> = Extract<Linking, { step: S }>

/** Some codes end in what only the list of devices can tell. */
export const isUnsure = ({ code }: Problem) => code === 'link_unsure'

export const deviceTitle = (name: string) => name || devicesText.nameless

/** One stage: its title takes the focus, so that a screen reader goes on there. */
export function Stage(props: {
  /** None: something above it says so. The lead takes the focus then. */
  title?: string
  lead?: string
  step: string
  /** On a page of its own, or in a sheet that has a title already. */
  level: 1 | 3
  children?: ComponentChildren
}) {
  const start = useRef<HTMLHeadingElement & HTMLParagraphElement>(null)
  useEffect(() => {
    if (props.level === 1) scrollTo(0, 0)
    focusStart(start.current)
  }, [])
  const Heading = props.level === 1 ? 'h1' : 'h3'
  return (
    <section class="stack stage" data-testid={T.linking} data-step={props.step}>
      {props.title && (
        <Heading ref={start} tabIndex={-1}>
          {props.title}
        </Heading>
      )}
      {props.lead && (
        <p class="lead" {...(props.title ? {} : { ref: start, tabIndex: -1 })}>
          {props.lead}
        </p>
      )}
      {props.children}
    </section>
  )
}

/** Read out digit by digit. */
export function Digits({ digits }: { digits: string }) {
  const spoken = digits
    .split(' ')
    .map((group) => [...group].join(' '))
    .join(', ')
  return (
    <p class="digits" data-testid={T.linkDigits} data-digits={digits}>
      <span aria-hidden="true">{digits}</span>
      <span class="unseen">{spoken}</span>
    </p>
  )
}

export function Compare(props: {
  digits: string
  level: 1 | 3
  busy: boolean
  problem: Problem | null
  onYes: () => void
  onNo: () => void
  /** With whom. */
  children: ComponentChildren
}) {
  return (
    <Stage title={linkingText.compareTitle} step="compare" level={props.level}>
      {props.children}
      <Digits digits={props.digits} />
      <Notice tone="warn">{linkingText.compareWarn}</Notice>
      {props.problem && <ProblemNotice problem={props.problem} />}
      <div class="actions answers">
        <Button kind="primary" busy={props.busy} testid={T.linkSame} onClick={props.onYes}>
          {linkingText.same}
        </Button>
        <Button disabled={props.busy} testid={T.linkDifferent} onClick={props.onNo}>
          {linkingText.different}
        </Button>
      </div>
    </Stage>
  )
}

export function Moving({
  linking,
  level,
  title,
}: {
  linking: At<'moving'>
  level: 1 | 3
  title: string
}) {
  const label = useId()
  const { have, of } = linking
  return (
    <Stage title={title} lead={linkingText.movingText} step="moving" level={level}>
      <progress
        class="progress"
        aria-labelledby={label}
        {...(of > 0 ? { max: of, value: have } : {})}
      />
      <p class="field-hint" id={label}>
        {of > 0 ? linkingText.movingHave(have, of) : s.common.working}
      </p>
    </Stage>
  )
}

export function Busy() {
  return (
    <p class="stage-busy" aria-hidden="true">
      <span class="spinner" />
    </p>
  )
}

/** How it ended, in the three sentences of the core, and the ways to go on. */
export function Failed(props: { problem: Problem; level: 1 | 3; children: ComponentChildren }) {
  const { problem } = props
  const title = isUnsure(problem) ? linkingText.unsureTitle : linkingText.failedTitle
  return (
    <Stage title={title} step="failed" level={props.level}>
      <ProblemNotice problem={problem} />
      <div class="actions">{props.children}</div>
    </Stage>
  )
}
