/** A time ahead that comes nearer. */
import { useEffect, useState } from 'preact/hooks'

/** Milliseconds left until then, told anew each second. */
export function useCountdown(until: number | undefined): number {
  const [now, setNow] = useState(Date.now())
  const left = until === undefined ? 0 : Math.max(0, until - now)
  useEffect(() => {
    setNow(Date.now())
    if (until === undefined || until <= Date.now()) return
    const timer = setInterval(() => {
      setNow(Date.now())
      if (Date.now() >= until) clearInterval(timer)
    }, 500)
    return () => clearInterval(timer)
  }, [until])
  return left
}
