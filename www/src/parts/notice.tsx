/** Boxes that stand in the page: a word of caution, or a problem with its three sentences. */
import type { ComponentChildren } from 'preact'
import type { Problem } from '../state/api'
import { s } from '../strings'
import { T } from '../testids'
import { IconButton } from './button'
import { I, type IconName } from './icons'

export function Notice(props: {
  tone?: 'info' | 'warn' | 'danger' | 'good'
  icon?: IconName
  title?: ComponentChildren
  testid?: string
  children?: ComponentChildren
}) {
  const { tone = 'info' } = props
  const icon = props.icon ?? (tone === 'info' ? 'info' : tone === 'good' ? 'check' : 'warn')
  return (
    <div class={`notice ${tone}`} data-testid={props.testid}>
      <I name={icon} />
      <div class="notice-text">
        {props.title && <strong>{props.title}</strong>}
        {props.children}
      </div>
    </div>
  )
}

/** What happened, whether the data is safe, what to do now: always all three. */
export function ProblemNotice(props: {
  problem: Problem
  testid?: string
  onDismiss?: () => void
}) {
  const { problem, onDismiss } = props
  return (
    <div
      class="notice danger problem"
      role="alert"
      data-testid={props.testid ?? T.formError}
      data-code={problem.code}
    >
      <I name="warn" />
      <div class="notice-text">
        <strong dir="auto">{problem.happened}</strong>
        {problem.safe && <p>{problem.safe}</p>}
        {problem.todo && <p>{problem.todo}</p>}
      </div>
      {onDismiss && (
        <IconButton
          icon="close"
          label={s.common.dismiss}
          testid={T.troubleDismiss}
          onClick={onDismiss}
        />
      )}
    </div>
  )
}

export function Empty(props: {
  icon: IconName
  title: string
  text: string
  testid?: string
  children?: ComponentChildren
}) {
  return (
    <div class="empty" data-testid={props.testid}>
      <span class="empty-icon">
        <I name={props.icon} size={26} />
      </span>
      <h3>{props.title}</h3>
      <p>{props.text}</p>
      {props.children}
    </div>
  )
}
