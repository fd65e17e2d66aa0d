/**
 * Scrolling through a conversation: the end stays in sight while one reads along; otherwise the
 * line that is read stays where it is, whatever comes in above or below.
 */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { MessageView } from '../state/api'
import { earlier, later, NEWEST, rangeOf } from './window'

/** Closer to the end than this counts as reading along. */
const NEAR_END_PX = 80
/** Closer to an edge than this, the next page is fetched. */
const NEAR_EDGE_PX = 600

export interface Reading {
  messages: MessageView[]
  /** How many texts wait to be saved, below all messages. */
  sending: number
  /** Whether older messages can be loaded. */
  more: boolean
  load: () => Promise<unknown>
}

/** Where an element stands below the upper edge of its scroller. */
const below = (element: Element, box: Element) =>
  element.getBoundingClientRect().top - box.getBoundingClientRect().top

function firstInSight(box: HTMLElement): HTMLElement | undefined {
  const top = box.getBoundingClientRect().top
  const lines = [...box.querySelectorAll<HTMLElement>('.line')]
  return lines.find((line) => line.getBoundingClientRect().bottom > top)
}

/** Whether something of one's own was added at the end, which brings one there. */
export function isOwnNews(
  before: { newest?: string | undefined; sending: number },
  newest: MessageView | undefined,
  sending: number,
): boolean {
  if (sending > before.sending) return true
  const grew = before.newest !== undefined && before.newest !== newest?.message
  return grew && newest?.mine === true
}

export function useReading({ messages, sending, more, load }: Reading) {
  const box = useRef<HTMLDivElement>(null)
  const [shown, setShown] = useState(NEWEST)
  const [atEnd, setAtEnd] = useState(true)
  const [busy, setBusy] = useState(false)
  const stays = useRef(atEnd)
  stays.current = atEnd
  const range = rangeOf(messages, shown, atEnd)
  const [from, to] = range
  const whole = to === messages.length

  // Measured while the page still shows what was before.
  const { current } = box
  const line = current && !atEnd ? firstInSight(current) : undefined
  const place = current && line ? below(line, current) : 0
  useLayoutEffect(() => {
    const { current } = box
    if (!current) return
    if (atEnd) current.scrollTop = current.scrollHeight
    else if (line?.isConnected) {
      const moved = below(line, current) - place
      if (Math.abs(moved) >= 1) current.scrollTop += moved
    }
  })

  const toEnd = () => {
    setShown(NEWEST)
    setAtEnd(true)
    box.current?.scrollTo({ top: box.current.scrollHeight })
  }
  const newest = messages.at(-1)
  const before = useRef({ newest: newest?.message, sending })
  useLayoutEffect(() => {
    if (isOwnNews(before.current, newest, sending)) toEnd()
    before.current = { newest: newest?.message, sending }
  }, [newest?.message, sending])

  const wanted = useRef(false)
  useLayoutEffect(() => {
    if (busy || !wanted.current) return
    wanted.current = false
    if (from > 0) setShown(earlier(messages, range))
  }, [busy])
  const toEarlier = () => {
    if (from > 0) setShown(earlier(messages, range))
    else if (more && !busy) {
      wanted.current = true
      setBusy(true)
      void load().finally(() => setBusy(false))
    }
  }

  useEffect(() => {
    // The keyboard of a phone, or a longer draft, takes from the height.
    const { current } = box
    if (!current || typeof ResizeObserver === 'undefined') return
    const observer = new ResizeObserver(() => {
      if (stays.current) current.scrollTop = current.scrollHeight
    })
    observer.observe(current)
    return () => observer.disconnect()
  }, [])

  const onScroll = () => {
    const { current } = box
    if (!current) return
    const rest = current.scrollHeight - current.scrollTop - current.clientHeight
    setAtEnd(whole && rest < NEAR_END_PX)
    if (current.scrollTop < NEAR_EDGE_PX) toEarlier()
    else if (!whole && rest < NEAR_EDGE_PX) setShown(later(messages, range))
  }
  /** Shows a line near the upper edge, if it is above. */
  const rise = (to: Element) => {
    const { current } = box
    if (!current || below(to, current) >= 0) return
    current.scrollTop += below(to, current) - NEAR_END_PX
    stays.current = false
    setAtEnd(false)
  }
  return { box, range, whole, atEnd, busy, onScroll, toEarlier, toEnd, rise }
}
