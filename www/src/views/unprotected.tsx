/** What is said once where the page came over plain http: what that means, and what is missing. */
import { Notice } from '../parts/notice'
import { s } from '../strings'
import { T } from '../testids'
import { unprotected } from '../unprotected'

export function Unprotected() {
  if (!unprotected()) return null
  return (
    <Notice tone="warn" title={s.unprotected.title} testid={T.unprotected}>
      <p>{s.unprotected.changed(location.host)}</p>
      <p>{s.unprotected.lacks}</p>
    </Notice>
  )
}
