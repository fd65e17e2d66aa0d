/** How far a message is on its way: an icon, a few words, and a sentence behind them. */
import { ahead, moment } from '../format'
import type { Delivery, MessageView } from '../state/api'
import { linked, work } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { I, type IconName } from './icons'

export interface Told {
  icon: IconName
  words: string
  tip: string
}

/** What else decides the words. */
export interface Around {
  name: string
  /** Part of the work done so far, which is an expectation and may pass 1. */
  share?: number | undefined
  /** Whether a confirmation can come. */
  confirms: boolean
  /** The contact has not accepted yet; of others an acceptance answers our coming back. */
  greeted: boolean
  /** Whether some relay is connected. */
  linked: boolean
}

export function tell(delivery: Delivery, around: Around): Told {
  const d = s.delivery
  const { name } = around
  switch (delivery.state) {
    case 'received':
      return { icon: 'check', words: '', tip: '' }
    case 'queued':
      switch (delivery.waits_for) {
        case 'work': {
          const percent = Math.max(0, Math.floor((around.share ?? 0) * 100))
          const words = percent < 100 ? d.work(percent) : d.workLong
          return { icon: 'work', words, tip: d.workTip }
        }
        case 'keys':
          return { icon: 'clock', words: d.keys, tip: d.keysTip(name) }
        case 'relay':
          return {
            icon: 'clock',
            words: d.relay,
            tip: around.linked ? d.relayLinkedTip : d.relayTip,
          }
        case 'relay_room':
          return { icon: 'clock', words: d.relayRoom, tip: d.relayRoomTip }
        case 'acceptance':
          return around.greeted
            ? { icon: 'clock', words: d.acceptance, tip: d.acceptanceTip(name) }
            : { icon: 'clock', words: d.answer(name), tip: d.answerTip(name) }
        case 'device':
          return { icon: 'clock', words: d.device, tip: d.deviceTip }
        case 'confirmation':
          return { icon: 'clock', words: d.confirmation, tip: d.confirmationTip(name) }
        default:
          // A newer core may wait for more.
          return { icon: 'clock', words: d.waiting, tip: '' }
      }
    case 'stored': {
      if (!around.confirms) {
        return { icon: 'stored', words: d.storedLast(delivery.relays), tip: d.storedLastTip }
      }
      const until = ahead(delivery.until)
      return { icon: 'stored', words: d.stored(delivery.relays, until), tip: d.storedTip }
    }
    case 'delivered':
      return { icon: 'checks', words: d.delivered, tip: d.deliveredTip(moment(delivery.at)) }
    case 'cancelled':
      return delivery.was_stored
        ? { icon: 'stop', words: d.cancelledStored, tip: d.cancelledStoredTip }
        : { icon: 'stop', words: d.cancelled, tip: d.cancelledTip }
    case 'failed':
      return {
        icon: 'warn',
        words: d.failed,
        tip: [delivery.problem.happened, delivery.problem.safe, delivery.problem.todo].join(' '),
      }
  }
}

/** `brief`: the icon alone, its words for screen readers and as a tooltip. */
export function DeliveryState(props: {
  message: MessageView
  name: string
  confirms: boolean
  /** Its contact has not accepted yet. */
  greeted: boolean
  brief: boolean
}) {
  const { name, confirms, greeted, brief } = props
  const { contact, delivery, message } = props.message
  // A greeting's work goes by the contact.
  const what = greeted ? contact : message
  // Read only while it matters: each report of work would draw all messages anew.
  const works = delivery.state === 'queued' && delivery.waits_for === 'work'
  const share = works ? work.value[what] : undefined
  const told = tell(delivery, { name, confirms, greeted, share, linked: linked.value })
  return (
    <span
      class={`delivery ${delivery.state}`}
      data-testid={T.delivery}
      data-state={delivery.state}
      title={told.tip ? `${told.words}. ${told.tip}` : told.words}
    >
      <span class={brief ? 'unseen' : ''}>{told.words}</span>
      <I name={told.icon} size={15} />
    </span>
  )
}
