/** Tells once that an element has come near the part of the page that is in sight. */

const waiting = new WeakMap<Element, () => void>()
let observer: IntersectionObserver | null = null

function onSeen(entries: IntersectionObserverEntry[]): void {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue
    const seen = waiting.get(target)
    leave(target)
    seen?.()
  }
}

function leave(element: Element): void {
  observer?.unobserve(element)
  waiting.delete(element)
}

/** Calls back when it is in sight. Returns the way to stop waiting. */
export function whenSeen(element: Element, seen: () => void): () => void {
  observer ??= new IntersectionObserver(onSeen, { rootMargin: '200px' })
  waiting.set(element, seen)
  observer.observe(element)
  return () => leave(element)
}
