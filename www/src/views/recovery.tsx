/** How far an account that was restored from its words has found itself: above the conversations. */
import { useId } from 'preact/hooks'
import type { ComponentChildren } from 'preact'
import { Button } from '../parts/button'
import { Notice, ProblemNotice } from '../parts/notice'
import { useTask } from '../parts/task'
import { toast } from '../parts/toast'
import type { Recovery as Way } from '../state/api'
import { hideRecovery, linked, lone, recovery, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

/** An end that the person chose, or without anybody who came back, says nothing. */
export function isTold(way: Way | null): way is Way {
  if (way?.state !== 'done') return way !== null
  return way.contacts > 0 && way.back >= way.contacts
}

function wordsOf(way: Way): { title: string; text: string } {
  switch (way.state) {
    case 'looking': {
      const text = linked.value
        ? s.recovery.lookingText
        : lone.value
          ? s.recovery.lookingLone
          : s.recovery.lookingUnlinked
      return { title: s.recovery.looking, text }
    }
    case 'nothing':
      return { title: s.recovery.nothing, text: s.recovery.nothingText }
    case 'found': {
      const { contacts, back } = way
      return { title: s.recovery.found(contacts), text: s.recovery.foundText(back, contacts) }
    }
    case 'done':
      return { title: s.recovery.done, text: s.recovery.doneText(way.contacts) }
  }
}

function Actions({ way }: { way: Way }) {
  const { busy, problem, run: attempt } = useTask()
  const again = () => void attempt(() => run({ cmd: 'look_again' }))
  const anew = async (done?: string) => {
    if ((await attempt(() => run({ cmd: 'start_anew' }))) && done) toast(done)
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

export function Recovery() {
  const title = useId()
  const way = recovery.value
  if (!isTold(way)) return null
  const words = wordsOf(way)
  return (
    <section
      class="recovery"
      aria-label={s.recovery.label}
      data-testid={T.recovery}
      data-state={way.state}
    >
      <Notice
        tone={way.state === 'nothing' ? 'warn' : way.state === 'done' ? 'good' : 'info'}
        icon={way.state === 'nothing' ? 'info' : way.state === 'done' ? 'check' : 'people'}
      >
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
