/** How far a message is on its way: an icon, a few words, and a sentence behind them. */
import { ahead, moment } from '../format'
import type { Delivery, MessageView } from '../state/api'
import { state, work } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { I, type IconName } from './icons'

export interface Told {
  icon: IconName
  words: string
  tip: string
}

/** `share` of the work done so far, which is an expectation and may pass 1. */
export function tell(delivery: Delivery, name: string, share: number | undefined): Told {
  const d = s.delivery
  switch (delivery.state) {
    case 'received':
      return { icon: 'check', words: '', tip: '' }
    case 'queued':
      switch (delivery.waits_for) {
        case 'work': {
          const percent = Math.max(0, Math.floor((share ?? 0) * 100))
          const words = percent < 100 ? d.work(percent) : d.workLong
          return { icon: 'work', words, tip: d.workTip }
        }
        case 'keys':
          return { icon: 'clock', words: d.keys, tip: d.keysTip(name) }
        case 'relay':
          return { icon: 'clock', words: d.relay, tip: d.relayTip }
        case 'acceptance':
          return { icon: 'clock', words: d.acceptance, tip: d.acceptanceTip(name) }
      }
    case 'stored': {
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
export function DeliveryState(props: { message: MessageView; name: string; brief: boolean }) {
  const { message, name, brief } = props
  const greeting = state.value.contacts[message.contact]?.state === 'greeted'
  const what = greeting ? message.contact : message.message
  const told = tell(message.delivery, name, work.value[what])
  return (
    <span
      class={`delivery ${message.delivery.state}`}
      data-testid={T.delivery}
      data-state={message.delivery.state}
      title={`${told.words}. ${told.tip}`}
    >
      <span class={brief ? 'unseen' : ''}>{told.words}</span>
      <I name={told.icon} size={15} />
    </span>
  )
}
