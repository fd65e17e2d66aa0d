/** Another device took this one out of the account: what stays, and what is left to do here. */
import { useState } from 'preact/hooks'
import { Button } from '../parts/button'
import { useContentAfter } from '../parts/focus'
import { I } from '../parts/icons'
import { removed, showRemoved } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { EraseSheet } from './erase'

/** Over the whole page, until it was read; after each start again. */
export function Removed() {
  const [erasing, setErasing] = useState(false)
  const here = removed.value
  const shown = here !== null && !here.dismissed
  useContentAfter(shown)
  if (!shown) return null
  const { happened, safe, todo, code } = here.problem
  return (
    <div class="troubles">
      <div class="notice danger" data-testid={T.removed} data-code={code}>
        <I name="warn" />
        <div class="notice-text">
          <div role="alert">
            <strong dir="auto">{happened}</strong>
            {safe && <p>{safe}</p>}
            {todo && <p>{todo}</p>}
          </div>
          <div class="row">
            <Button small testid={T.removedRead} onClick={() => showRemoved(false)}>
              {s.removed.read}
            </Button>
            <Button small kind="danger" testid={T.removedErase} onClick={() => setErasing(true)}>
              {s.removed.erase}
            </Button>
          </div>
        </div>
      </div>
      {erasing && <EraseSheet onClose={() => setErasing(false)} />}
    </div>
  )
}
