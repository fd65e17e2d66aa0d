/** What has become of this account here: over the whole page until it was read, and in each conversation. */
import type { ComponentChildren } from 'preact'
import { Button } from '../parts/button'
import { I } from '../parts/icons'
import { Notice } from '../parts/notice'
import { s } from '../strings'

/** The lines of a problem, what can be done, and sheets that it opens. */
export function Over(props: {
  lines: string[]
  code: string
  testid: string
  actions: ComponentChildren
  children?: ComponentChildren
}) {
  const [first, ...rest] = props.lines
  return (
    <div class="troubles">
      <div class="notice danger" data-testid={props.testid} data-code={props.code}>
        <I name="warn" />
        <div class="notice-text">
          <div role="alert">
            <strong dir="auto">{first}</strong>
            {rest.map((line) => line && <p key={line}>{line}</p>)}
          </div>
          <div class="row">{props.actions}</div>
        </div>
      </div>
      {props.children}
    </div>
  )
}

/** The same in a conversation; what was put aside can be shown again. */
export function OverChat(props: {
  text: string
  testid: string
  dismissed: boolean
  chooseId: string
  onChoose: () => void
}) {
  return (
    <Notice tone="danger" testid={props.testid}>
      {props.text}{' '}
      {props.dismissed && (
        <Button small testid={props.chooseId} onClick={props.onChoose}>
          {s.elsewhere.choose}
        </Button>
      )}
    </Notice>
  )
}
