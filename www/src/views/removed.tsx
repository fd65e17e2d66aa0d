/** Another device took this one out of the account: what stays, and what is left to do here. */
import { useState } from 'preact/hooks'
import { Button } from '../parts/button'
import { useContentAfter } from '../parts/focus'
import { putAside, removed } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { EraseSheet } from './erase'
import { Over } from './over'

/** Over the whole page, until it was read; after each start again. */
export function Removed() {
  const [erasing, setErasing] = useState(false)
  const here = removed.value
  const shown = here !== null && !here.dismissed
  useContentAfter(shown)
  if (!shown) return null
  const { happened, safe, todo, code } = here.problem
  return (
    <Over
      lines={[happened, safe, todo]}
      code={code}
      testid={T.removed}
      actions={
        <>
          <Button small testid={T.removedRead} onClick={() => putAside('removed', true)}>
            {s.removed.read}
          </Button>
          <Button small kind="danger" testid={T.removedErase} onClick={() => setErasing(true)}>
            {s.removed.erase}
          </Button>
        </>
      }
    >
      {erasing && <EraseSheet onClose={() => setErasing(false)} />}
    </Over>
  )
}
