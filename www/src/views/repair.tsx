/** Beginning anew with all contacts, for when nothing else mends it. */
import { useState } from 'preact/hooks'
import { Button } from '../parts/button'
import { I } from '../parts/icons'
import { ConfirmSheet } from '../parts/sheet'
import { toast } from '../parts/toast'
import { run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

export function Repair() {
  const [asking, setAsking] = useState(false)
  const comeBack = async () => {
    await run({ cmd: 'come_back' })
    toast(s.repair.done)
  }
  return (
    <section class="section">
      <h2 class="section-title">{s.repair.title}</h2>
      <details class="card rows disclosure">
        <summary class="settings-row" data-testid={T.settingsRepair}>
          <I name="device" />
          <span class="settings-text">{s.repair.open}</span>
          <I name="next" size={18} />
        </summary>
        <div class="row-note stack">
          <p>{s.repair.text}</p>
          <p>{s.repair.costs}</p>
          <div>
            <Button small testid={T.settingsComeBack} onClick={() => setAsking(true)}>
              {s.repair.action}
            </Button>
          </div>
        </div>
      </details>
      {asking && (
        <ConfirmSheet
          title={s.repair.ask}
          text={s.repair.askText}
          action={s.repair.action}
          onConfirm={comeBack}
          onClose={() => setAsking(false)}
        />
      )}
    </section>
  )
}
