/** Dialogs over the page. The browser's own <dialog> keeps the focus inside and hears Esc. */
import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { Problem } from '../state/api'
import { problemOf } from '../state/problem'
import { s } from '../strings'
import { T } from '../testids'
import { Button, IconButton } from './button'
import { ProblemNotice } from './notice'
import { sheets, Toasts } from './toast'

export function Sheet(props: {
  title: string
  onClose: () => void
  testid?: string
  children: ComponentChildren
}) {
  const ref = useRef<HTMLDialogElement>(null)
  const pressed = useRef<EventTarget | null>(null)
  const title = useId()
  useEffect(() => {
    const dialog = ref.current
    const before = document.activeElement
    if (dialog && !dialog.open) dialog.showModal()
    sheets.value++
    return () => {
      sheets.value--
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      class="sheet"
      data-testid={props.testid ?? T.sheet}
      aria-labelledby={title}
      onKeyDown={(event) => {
        // Esc closes this alone; the page below does not hear of it.
        if (event.key === 'Escape') event.stopPropagation()
      }}
      onCancel={(event) => {
        event.preventDefault()
        props.onClose()
      }}
      onPointerDown={(event) => (pressed.current = event.target)}
      onClick={(event) => {
        // A click on the dialog itself is a click beside its content: on the backdrop. One that
        // began inside, marking text, is none.
        const beside = (target: EventTarget | null) => target === ref.current
        if (beside(event.target) && beside(pressed.current)) props.onClose()
      }}
    >
      <div class="sheet-body">
        <header class="sheet-head">
          <h2 id={title}>{props.title}</h2>
          <IconButton
            icon="close"
            label={s.common.close}
            testid={T.sheetClose}
            onClick={props.onClose}
          />
        </header>
        {props.children}
      </div>
      <Toasts inSheet />
    </dialog>
  )
}

/** Asks before something that cannot be undone, and stays open until it is done. */
export function ConfirmSheet(props: {
  title: string
  text: string
  /** What it does not do. */
  more?: string
  action: string
  onConfirm: () => Promise<unknown>
  onClose: () => void
}) {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem | null>(null)
  const confirm = async () => {
    setBusy(true)
    setProblem(null)
    try {
      await props.onConfirm()
      props.onClose()
    } catch (error) {
      setProblem(problemOf(error))
      setBusy(false)
    }
  }
  return (
    <Sheet title={props.title} onClose={props.onClose}>
      <p class="lead">{props.text}</p>
      {props.more && <p class="lead">{props.more}</p>}
      {problem && <ProblemNotice problem={problem} />}
      <div class="actions end">
        <Button kind="ghost" onClick={props.onClose}>
          {s.common.cancel}
        </Button>
        <Button kind="danger" busy={busy} testid={T.sheetConfirm} onClick={confirm}>
          {props.action}
        </Button>
      </div>
    </Sheet>
  )
}
