/** How far an account that was restored from its words has found itself: above the conversations. */
import { useId, useRef } from 'preact/hooks'
import type { ComponentChildren } from 'preact'
import { Button } from '../parts/button'
import { useContentAfter, useKeptFocus } from '../parts/focus'
import { Notice, ProblemNotice } from '../parts/notice'
import { useTask } from '../parts/task'
import { toast } from '../parts/toast'
import type { Recovery as Way } from '../state/api'
import { hideRecovery, linked, lone, recovery, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

/** An end without any contact says nothing. */
export function isTold(way: Way | null): way is Way {
  return way !== null && (way.state !== 'done' || way.contacts > 0)
}

function wordsOf({ state, contacts, back }: Way): { title: string; text: string } {
  const r = s.recovery
  switch (state) {
    case 'looking': {
      const apart = lone.value ? r.lookingLone : r.lookingUnlinked
      return { title: r.looking, text: linked.value ? r.lookingText : apart }
    }
    case 'nothing':
      return { title: r.nothing, text: r.nothingText }
    case 'found':
      return { title: r.found(contacts), text: r.foundText(back, contacts) }
    case 'done':
      return back < contacts
        ? { title: r.donePart(back, contacts), text: r.donePartText }
        : { title: r.done, text: r.doneText(contacts) }
  }
}

function Actions({ way }: { way: Way }) {
  const { busy, problem, run: attempt } = useTask()
  const again = () => void attempt(() => run({ cmd: 'look_again' }))
  const anew = async (done?: string) => {
    if (!(await attempt(() => run({ cmd: 'start_anew' })))) return
    // Who has chosen the end need not be told of it.
    if (recovery.peek()?.state === 'done') hideRecovery()
    if (done) toast(done)
  }
  let buttons: ComponentChildren = null
  if (way.state === 'nothing') {
    buttons = (
      <>
        <Button small busy={busy} testid={T.recoveryAgain} onClick={again}>
          {s.recovery.again}
        </Button>
        <Button small disabled={busy} testid={T.recoveryAnew} onClick={() => void anew()}>
          {s.recovery.anew}
        </Button>
      </>
    )
  } else if (way.state === 'found') {
    buttons = (
      <Button
        small
        busy={busy}
        testid={T.recoveryAnew}
        onClick={() => void anew(s.recovery.enoughDone)}
      >
        {s.recovery.enough}
      </Button>
    )
  } else if (way.state === 'done') {
    buttons = (
      <Button small testid={T.recoveryDismiss} onClick={hideRecovery}>
        {s.common.dismiss}
      </Button>
    )
  }
  return (
    <>
      {buttons && <div class="row">{buttons}</div>}
      {problem && <ProblemNotice problem={problem} />}
    </>
  )
}

const TONES = { looking: 'info', nothing: 'warn', found: 'info', done: 'good' } as const
const ICONS = { looking: 'people', nothing: 'info', found: 'people', done: 'check' } as const

function Card({ way }: { way: Way }) {
  const card = useRef<HTMLElement>(null)
  const title = useId()
  useKeptFocus(card, card)
  useContentAfter(true)
  const words = wordsOf(way)
  return (
    <section
      class="recovery"
      ref={card}
      tabIndex={-1}
      aria-label={s.recovery.label}
      data-testid={T.recovery}
      data-state={way.state}
    >
      <Notice tone={TONES[way.state]} icon={ICONS[way.state]}>
        <div role="status">
          <strong id={title}>{words.title}</strong>
          <p>{words.text}</p>
        </div>
        {way.state !== 'done' && <p class="narrow-only">{s.recovery.what}</p>}
        {way.state === 'found' && (
          <progress
            class="progress"
            max={Math.max(1, way.contacts)}
            value={way.back}
            aria-labelledby={title}
          />
        )}
        <Actions way={way} />
      </Notice>
    </section>
  )
}

export function Recovery() {
  const way = recovery.value
  return isTold(way) ? <Card way={way} /> : null
}
