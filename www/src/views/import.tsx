/** An account from an exported file, onto this empty device. */
import { useState } from 'preact/hooks'
import { IMPORT_BYTES_MAX } from '../limits'
import { Hint, SecretField } from '../parts/field'
import { I } from '../parts/icons'
import { run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { fromFile } from './file'
import { LearnStep, Page, PasscodeStep, Step, type Chosen, type Place } from './wizard'

const STEPS = 3

function FileStep(props: {
  place: Place
  file: File | null
  passphrase: string
  onFile: (file: File | null) => void
  onPassphrase: (passphrase: string) => void
  onNext: () => void
}) {
  const { file } = props
  const [tried, setTried] = useState(false)
  const tooLarge = file !== null && file.size > IMPORT_BYTES_MAX
  const error = tooLarge ? s.importing.tooLarge : tried && !file ? s.importing.noFile : null
  const good = file && !tooLarge && props.passphrase !== ''
  return (
    <Step
      place={props.place}
      title={s.importing.title}
      lead={s.importing.lead}
      onNext={() => (good ? props.onNext() : setTried(true))}
    >
      <div class="field">
        <label class="file-field">
          <I name="file" />
          <span>{file?.name ?? s.importing.choose}</span>
          <input
            type="file"
            class="unseen"
            aria-label={s.importing.file}
            aria-describedby="file-note"
            data-testid={T.importFile}
            onChange={(event) => props.onFile(event.currentTarget.files?.[0] ?? null)}
          />
        </label>
        <Hint id="file-note" error={error} />
      </div>
      <SecretField
        label={s.importing.passphrase}
        value={props.passphrase}
        onInput={props.onPassphrase}
        testid={T.importPassphrase}
      />
    </Step>
  )
}

export function Import({ onLeave }: { onLeave: () => void }) {
  const [at, setAt] = useState(1)
  const [file, setFile] = useState<File | null>(null)
  const [passphrase, setPassphrase] = useState('')
  const [chosen, setChosen] = useState<Chosen | null>(null)
  const place = { at, of: STEPS, onBack: at === 1 ? onLeave : () => setAt(at - 1) }

  const load = async () => {
    if (!file || !chosen) return
    await run({ cmd: 'import', file: await fromFile(file), passphrase, ...chosen })
  }
  return (
    <Page>
      {at === 1 && (
        <FileStep
          place={place}
          file={file}
          passphrase={passphrase}
          onFile={setFile}
          onPassphrase={setPassphrase}
          onNext={() => setAt(2)}
        />
      )}
      {at === 2 && (
        <PasscodeStep
          place={place}
          known={[s.app]}
          onNext={(passcode) => {
            setChosen(passcode)
            setAt(3)
          }}
        />
      )}
      {at === 3 && <LearnStep place={place} action={s.learn.agreeImport} onAgree={load} />}
    </Page>
  )
}
