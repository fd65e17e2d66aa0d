/** One message: its text, when, how far on its way, and what can be done with it. */
import { clock, moment } from '../format'
import { copy } from '../parts/copy'
import { DeliveryState } from '../parts/delivery'
import { I } from '../parts/icons'
import { memo } from '../parts/memo'
import { Menu, type MenuItem } from '../parts/menu'
import { UserText } from '../parts/text'
import { toast, toastProblem } from '../parts/toast'
import type { Command, MessageView } from '../state/api'
import { run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

function itemsFor(message: MessageView, greeted: boolean): MenuItem[] {
  const { contact } = message
  const id = message.message
  const order = (command: Command, done?: string) => () => {
    run(command)
      .then(() => done && toast(done))
      .catch(toastProblem)
  }
  const { delivery } = message
  const sending = delivery.state === 'queued' || delivery.state === 'stored'
  // The greeting itself has left for good: only what waits behind it can be stopped.
  const stoppable = greeted
    ? delivery.state === 'queued' && delivery.waits_for === 'acceptance'
    : sending
  const items: MenuItem[] = []
  if (message.text) {
    items.push({
      text: s.chat.copyText,
      icon: 'copy',
      testid: T.messageCopy,
      onPick: () => void copy(message.text).then((ok) => ok && toast(s.common.copied)),
    })
  }
  if (stoppable) {
    items.push({
      text: s.chat.cancelSend,
      icon: 'stop',
      testid: T.messageCancel,
      onPick: order({ cmd: 'cancel', message: id, contact }),
    })
  }
  items.push({
    text: stoppable ? s.chat.deleteStop : s.chat.delete,
    icon: 'trash',
    testid: T.messageDelete,
    danger: true,
    onPick: order(
      { cmd: 'delete_message', contact, message: id },
      stoppable ? s.chat.deletedStopped(delivery.state === 'stored') : s.chat.deleted,
    ),
  })
  return items
}

/** The way out for a message that went nowhere. */
function Retry({ message }: { message: MessageView }) {
  const retry = () =>
    void run({ cmd: 'retry', message: message.message, contact: message.contact }).catch(
      toastProblem,
    )
  return (
    <button type="button" class="retry" data-testid={T.messageRetry} onClick={retry}>
      {s.chat.retry}
    </button>
  )
}

/** A text that was handed over and is not on the disk yet. */
export function Unsaved({ text }: { text: string }) {
  return (
    <article
      class="message mine last line"
      data-testid={T.messageUnsaved}
      aria-label={s.chat.mine}
      title={s.chat.unsavedTip}
    >
      <div class="bubble-row">
        <div class="bubble user-text" dir="auto">
          <UserText text={text} />
        </div>
      </div>
      <p class="message-foot">
        <span class="delivery queued">
          {s.chat.unsaved}
          <I name="clock" size={15} />
        </span>
      </p>
    </article>
  )
}

/** To an invitation that has ended nothing can be sent again. */
const ENDED = new Set(['greeting_unanswered', 'greeting_too_late'])

export const Message = memo(function Message(props: {
  message: MessageView
  name: string
  confirms: boolean
  /** Its contact has not accepted yet. */
  greeted: boolean
  /** Last of a run: carries the time. */
  last: boolean
  /** Its delivery is told in words, not by the icon alone. */
  telling: boolean
}) {
  const { message, name, confirms, greeted, last } = props
  const { mine, delivery } = message
  const settled = delivery.state === 'delivered' || delivery.state === 'stored'
  const stuck =
    delivery.state === 'cancelled' ||
    (delivery.state === 'failed' && !ENDED.has(delivery.problem.code))
  const telling = mine && (props.telling || !settled)
  return (
    <article
      class={`message${mine ? ' mine' : ''}${last ? ' last' : ''}`}
      data-testid={T.message}
      data-message={message.message}
      data-mine={mine}
      data-state={delivery.state}
      aria-label={mine ? s.chat.mine : name}
    >
      <div class="bubble-row">
        <div class="bubble user-text" dir="auto" data-testid={T.messageText}>
          {message.text ? <UserText text={message.text} /> : <em>{s.chat.noText}</em>}
        </div>
        <Menu label={s.chat.actions} testid={T.messageMenu} items={itemsFor(message, greeted)} />
      </div>
      {(last || telling) && (
        <p class="message-foot">
          <time title={moment(message.at)}>{clock(message.at)}</time>
          {mine && (
            <DeliveryState
              message={message}
              name={name}
              confirms={confirms}
              greeted={greeted}
              brief={!telling}
            />
          )}
          {stuck && <Retry message={message} />}
        </p>
      )}
      {delivery.state === 'failed' && (
        <p class="failure">
          {delivery.problem.happened} {delivery.problem.safe} {delivery.problem.todo}
        </p>
      )}
    </article>
  )
})
