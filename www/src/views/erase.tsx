/** Destroying what this device keeps, after the word for it was typed. */
import { useState } from 'preact/hooks'
import { Button } from '../parts/button'
import { Field } from '../parts/field'
import { ProblemNotice } from '../parts/notice'
import { Sheet } from '../parts/sheet'
import { useTask } from '../parts/task'
import { toast } from '../parts/toast'
import { route } from '../state/route'
import { run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

export function EraseSheet({ onClose }: { onClose: () => void }) {
  const [typed, setTyped] = useState('')
  const { busy, problem, run: attempt } = useTask()
  const sure = typed.trim().toLowerCase() === s.settings.eraseWord
  const erase = async () => {
    if (!sure || !(await attempt(() => run({ cmd: 'erase' })))) return
    onClose()
    history.replaceState(null, '')
    route.value = { view: 'home' }
    toast(s.settings.erased)
  }
  return (
    <Sheet title={s.settings.eraseTitle} onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void erase()
        }}
      >
        <p class="lead">{s.settings.eraseLead}</p>
        <Field
          label={s.settings.eraseType(s.settings.eraseWord)}
          value={typed}
          onInput={setTyped}
          testid={T.eraseWord}
          autoFocus
        />
        {problem && <ProblemNotice problem={problem} />}
        <div class="actions end">
          <Button kind="ghost" onClick={onClose}>
            {s.common.cancel}
          </Button>
          <Button kind="danger" type="submit" busy={busy} disabled={!sure} testid={T.eraseButton}>
            {s.settings.eraseButton}
          </Button>
        </div>
      </form>
    </Sheet>
  )
}
