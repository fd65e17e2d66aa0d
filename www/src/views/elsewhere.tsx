/** The account was restored on another device: what that means here, and what to choose from. */
import { useState } from 'preact/hooks'
import { Button } from '../parts/button'
import { useContentAfter } from '../parts/focus'
import { ConfirmSheet, Sheet } from '../parts/sheet'
import { toast } from '../parts/toast'
import { elsewhere, putAside, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Over } from './over'

function MineSheet({ onClose }: { onClose: () => void }) {
  const dismiss = () => {
    onClose()
    putAside('elsewhere', true)
  }
  return (
    <Sheet title={s.elsewhere.mineTitle} onClose={onClose}>
      <p class="lead">{s.elsewhere.mineText}</p>
      <p class="lead">{s.elsewhere.mineKeep}</p>
      <div class="actions end">
        <Button kind="ghost" onClick={onClose}>
          {s.common.cancel}
        </Button>
        <Button kind="primary" testid={T.sheetConfirm} onClick={dismiss}>
          {s.common.dismiss}
        </Button>
      </div>
    </Sheet>
  )
}

function TakeSheet({ onClose }: { onClose: () => void }) {
  const take = async () => {
    await run({ cmd: 'take_back' })
    toast(s.elsewhere.taken)
  }
  return (
    <ConfirmSheet
      title={s.elsewhere.takeTitle}
      text={s.elsewhere.takeText}
      more={s.elsewhere.takeWords}
      action={s.elsewhere.take}
      onConfirm={take}
      onClose={onClose}
    />
  )
}

/** Over the whole page, until one has chosen. */
export function Elsewhere() {
  const [over, setOver] = useState<'mine' | 'take' | null>(null)
  const here = elsewhere.value
  const shown = here !== null && !here.dismissed
  useContentAfter(shown)
  if (!shown) return null
  const { happened, safe, code } = here.problem
  const close = () => setOver(null)
  return (
    <Over
      lines={[happened, safe]}
      code={code}
      testid={T.elsewhere}
      actions={
        <>
          <Button small testid={T.elsewhereMine} onClick={() => setOver('mine')}>
            {s.elsewhere.mine}
          </Button>
          <Button small kind="danger" testid={T.elsewhereTake} onClick={() => setOver('take')}>
            {s.elsewhere.notMine}
          </Button>
        </>
      }
    >
      {over === 'mine' && <MineSheet onClose={close} />}
      {over === 'take' && <TakeSheet onClose={close} />}
    </Over>
  )
}
