/** What asks for the passcode again: the words, a new passcode, and the export. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { Button } from '../parts/button'
import { CopyButton } from '../parts/copy'
import { SecretField } from '../parts/field'
import { Notice, ProblemNotice } from '../parts/notice'
import { NewPasscode } from '../parts/passcode'
import { Sheet } from '../parts/sheet'
import { useTask } from '../parts/task'
import { toast } from '../parts/toast'
import type { Problem } from '../state/api'
import { profile, ask, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { WordList } from './create'
import { saveFile } from './file'

/** The fields, what went wrong, and one button that works once all is filled in. */
function Form(props: {
  children: ComponentChildren
  button: string
  ready: boolean
  busy: boolean
  problem: Problem | null
  onSubmit: () => void
}) {
  const { children, button, ready, busy, problem, onSubmit } = props
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        if (ready) onSubmit()
      }}
    >
      {children}
      {problem && <ProblemNotice problem={problem} />}
      <div class="actions end">
        <Button kind="primary" type="submit" busy={busy} disabled={!ready} testid={T.sheetConfirm}>
          {button}
        </Button>
      </div>
    </form>
  )
}

export function ShowWordsSheet({ onClose }: { onClose: () => void }) {
  const [passcode, setPasscode] = useState('')
  const [words, setWords] = useState<string[] | null>(null)
  const { busy, problem, run: attempt } = useTask()
  const show = () =>
    void attempt(async () => {
      const answer = await ask('words', { cmd: 'show_words', passcode })
      setPasscode('')
      setWords(answer.words)
    })
  return (
    <Sheet title={s.settings.showWords} onClose={onClose}>
      {words ? (
        <div class="stack">
          <WordList words={words} />
          <Notice tone="warn">{s.words.warn}</Notice>
          <CopyButton text={words.join(' ')} label={s.words.copy} kind="ghost" small />
        </div>
      ) : (
        <Form
          button={s.common.show}
          ready={passcode !== ''}
          busy={busy}
          problem={problem}
          onSubmit={show}
        >
          <p class="lead">{s.settings.showWordsHint}</p>
          <SecretField
            label={s.passcode.label}
            value={passcode}
            onInput={setPasscode}
            testid={T.passcode}
            autoFocus
          />
        </Form>
      )}
    </Sheet>
  )
}

export function ChangePasscodeSheet({ onClose }: { onClose: () => void }) {
  const [old, setOld] = useState('')
  const [fresh, setFresh] = useState<string | null>(null)
  const { busy, problem, run: attempt } = useTask()
  const ready = old !== '' && fresh !== null
  const change = async () => {
    if (fresh === null || old === '') return
    if (!(await attempt(() => run({ cmd: 'change_passcode', old, new: fresh })))) return
    onClose()
    toast(s.settings.passcodeChanged)
  }
  return (
    <Sheet title={s.settings.changePasscode} onClose={onClose}>
      <Form
        button={s.settings.changePasscode}
        ready={ready}
        busy={busy}
        problem={problem}
        onSubmit={() => void change()}
      >
        <SecretField
          label={s.passcode.old}
          value={old}
          onInput={setOld}
          testid={T.passcodeOld}
          autoFocus
        />
        <NewPasscode
          label={s.passcode.fresh}
          known={[profile.value?.name ?? '', old, s.app]}
          onChange={setFresh}
        />
      </Form>
    </Sheet>
  )
}

export function ExportSheet({ onClose }: { onClose: () => void }) {
  const [passcode, setPasscode] = useState('')
  const [passphrase, setPassphrase] = useState<string | null>(null)
  const { busy, problem, run: attempt } = useTask()
  const ready = passcode !== '' && passphrase !== null
  const save = async () => {
    if (passcode === '' || passphrase === null) return
    const done = await attempt(async () => {
      const { file } = await ask('file', { cmd: 'export', passcode, passphrase })
      const day = new Date().toISOString().slice(0, 10)
      saveFile(file, `wiremin-${day}.wiremin`)
    })
    if (!done) return
    onClose()
    toast(s.settings.exportDone)
  }
  return (
    <Sheet title={s.settings.exportTitle} onClose={onClose}>
      <Form
        button={busy ? s.settings.exporting : s.settings.export}
        ready={ready}
        busy={busy}
        problem={problem}
        onSubmit={() => void save()}
      >
        <p class="lead">{s.settings.exportLead}</p>
        <SecretField
          label={s.passcode.old}
          value={passcode}
          onInput={setPasscode}
          testid={T.passcodeOld}
          autoFocus
        />
        <NewPasscode
          label={s.settings.passphrase}
          repeat={s.settings.passphraseRepeat}
          testid={T.exportPassphrase}
          known={[profile.value?.name ?? '', passcode, s.app]}
          onChange={setPassphrase}
        />
      </Form>
    </Sheet>
  )
}
