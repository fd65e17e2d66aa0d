/** The relays of this account, and adding one by its hint. */
import { useState } from 'preact/hooks'
import { Button, IconButton } from '../parts/button'
import { copy } from '../parts/copy'
import { Field } from '../parts/field'
import { Notice, ProblemNotice } from '../parts/notice'
import { ConfirmSheet } from '../parts/sheet'
import { useTask } from '../parts/task'
import { toast } from '../parts/toast'
import type { Problem, RelayView } from '../state/api'
import { clockOffS, linked, relays, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

/** While another relay is linked, nobody need check their connection for one that is gone. */
const todoOf = ({ code, todo }: Problem) =>
  code === 'relay_gone' && linked.value ? s.settings.relayAgain : todo

function Relay({ relay, onRemove }: { relay: RelayView; onRemove: () => void }) {
  return (
    <li
      class="relay"
      data-testid={T.relay}
      data-relay={relay.relay}
      data-state={relay.state}
      data-found={relay.found}
    >
      <i class={`dot ${relay.state}`} aria-hidden="true" />
      <div class="settings-text">
        <span>{relay.address}</span>
        <span class="field-hint relay-what">
          <span>
            {s.settings.relayStates[relay.state]}
            {relay.found && ` · ${s.settings.relayFound}`}
          </span>
          <code>{relay.relay}</code>
        </span>
        {relay.state === 'down' && relay.error && (
          <span class="field-hint">
            {relay.error.happened} {todoOf(relay.error)}
          </span>
        )}
      </div>
      <IconButton
        icon="copy"
        label={s.settings.relayCopy}
        testid={T.relayCopy}
        onClick={() => void copy(relay.hint).then((done) => done && toast(s.settings.relayCopied))}
      />
      <IconButton
        icon="trash"
        label={s.settings.relayRemove}
        testid={T.relayRemove}
        onClick={onRemove}
      />
    </li>
  )
}

function AddRelay({ onDone }: { onDone: () => void }) {
  const [hint, setHint] = useState('')
  const { busy, problem, run: attempt } = useTask()
  const add = async () => {
    if (!(await attempt(() => run({ cmd: 'add_relay', hint: hint.trim() })))) return
    toast(s.settings.relayAdded)
    onDone()
  }
  return (
    <form
      class="stack relay-add"
      onSubmit={(event) => {
        event.preventDefault()
        if (hint.trim() !== '') void add()
      }}
    >
      <Field
        label={s.settings.addRelayLabel}
        hint={s.settings.addRelayHint}
        value={hint}
        onInput={setHint}
        testid={T.relayHint}
        autoFocus
      />
      {problem && <ProblemNotice problem={problem} />}
      <div class="actions">
        <Button
          kind="primary"
          type="submit"
          small
          busy={busy}
          disabled={hint.trim() === ''}
          testid={T.relayAdd}
        >
          {s.settings.addRelay}
        </Button>
        <Button kind="ghost" small onClick={onDone}>
          {s.common.cancel}
        </Button>
      </div>
    </form>
  )
}

export function Relays() {
  const [adding, setAdding] = useState(false)
  const [removing, setRemoving] = useState<RelayView | null>(null)
  const minutesOff = Math.round(Math.abs(clockOffS.value ?? 0) / 60)
  return (
    <section class="section">
      <h2 class="section-title">{s.settings.relays}</h2>
      <p class="section-text">{s.settings.relaysText}</p>
      {minutesOff > 0 && <Notice tone="warn">{s.settings.clock(minutesOff)}</Notice>}
      <div class="card rows">
        {relays.value.length === 0 && <p class="row-note">{s.settings.relaysNone}</p>}
        <ul class="plain rows">
          {relays.value.map((relay) => (
            <Relay key={relay.relay} relay={relay} onRemove={() => setRemoving(relay)} />
          ))}
        </ul>
        {adding ? (
          <AddRelay onDone={() => setAdding(false)} />
        ) : (
          <div class="row-note">
            <Button
              small
              kind="ghost"
              icon="plus"
              testid={T.relayAdd}
              onClick={() => setAdding(true)}
            >
              {s.settings.addRelay}
            </Button>
          </div>
        )}
      </div>
      {removing && (
        <ConfirmSheet
          title={s.settings.relayRemoveAsk(removing.address)}
          text={s.settings.relayRemoveText}
          action={s.settings.relayRemove}
          onConfirm={async () => {
            await run({ cmd: 'remove_relay', relay: removing.relay })
            toast(s.settings.relayRemoved)
          }}
          onClose={() => setRemoving(null)}
        />
      )}
    </section>
  )
}
