/** What one shows of oneself: name, a few words, a picture. */
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { ABOUT_BYTES_MAX, byteLength } from '../limits'
import { AccountId } from '../parts/accountid'
import { Avatar } from '../parts/avatar'
import { Button } from '../parts/button'
import { CopyButton } from '../parts/copy'
import { Field, TextArea } from '../parts/field'
import { I } from '../parts/icons'
import { ProblemNotice } from '../parts/notice'
import { squarePicture } from '../parts/picture'
import { useTask } from '../parts/task'
import { toast } from '../parts/toast'
import type { Profile as Me } from '../state/reduce'
import { profile, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { fromFile } from './file'
import { nameError } from './wizard'

/** The count appears when this much is left. */
const TELL_BYTES = 100

function Picture({ me }: { me: Me }) {
  const { busy, problem, run: attempt } = useTask()
  const input = useRef<HTMLInputElement>(null)
  const hint = useId()
  const set = async (make: () => Promise<string>, done: string) => {
    const change = async () => run({ cmd: 'set_profile', avatar: await make() })
    if (await attempt(change)) toast(done)
  }
  const choose = async (chosen: HTMLInputElement) => {
    const file = chosen.files?.[0]
    // So that the same file can be chosen again.
    chosen.value = ''
    if (!file) return
    await set(async () => fromFile(await squarePicture(file)), s.profile.pictureSaved)
  }
  const remove = async () => {
    await set(async () => '', s.profile.pictureRemoved)
    input.current?.focus()
  }
  return (
    <div class="profile-picture">
      <Avatar id={me.account} name={me.name} picture={me.avatar} size={72} />
      <div class="stack tight">
        <div class="row">
          <label class="button quiet small file-button" aria-busy={busy}>
            {busy ? <span class="spinner" aria-hidden="true" /> : <I name="file" />}
            <span>
              {busy ? s.profile.preparing : me.avatar ? s.profile.change : s.profile.choose}
            </span>
            <input
              ref={input}
              type="file"
              accept="image/*"
              class="unseen"
              aria-describedby={hint}
              disabled={busy}
              data-testid={T.settingsPicture}
              onChange={(event) => void choose(event.currentTarget)}
            />
          </label>
          {me.avatar && (
            <Button
              kind="ghost"
              small
              disabled={busy}
              testid={T.settingsPictureRemove}
              onClick={() => void remove()}
            >
              {s.profile.remove}
            </Button>
          )}
        </div>
        <p class="field-hint" id={hint}>
          {s.profile.pictureHint}
        </p>
        {problem && <ProblemNotice problem={problem} />}
      </div>
    </div>
  )
}

function Words({ me }: { me: Me }) {
  const [name, setName] = useState(me.name)
  const [about, setAbout] = useState(me.about)
  const before = useRef(me)
  useEffect(() => {
    // What another device wrote is taken over, but not over what is being typed.
    const old = before.current
    setName((now) => (now.trim() === old.name ? me.name : now))
    setAbout((now) => (now.trim() === old.about ? me.about : now))
    before.current = me
  }, [me])
  const { busy, problem, run: attempt } = useTask()
  const renamed = name.trim() !== me.name
  const told = about.trim() !== me.about
  const error = nameError(name)
  const left = ABOUT_BYTES_MAX - byteLength(about.trim())
  const wrong = (renamed && error !== null) || left < 0
  const save = async () => {
    if (wrong) return
    const saved = await attempt(async () => {
      if (renamed) await run({ cmd: 'rename', name: name.trim() })
      if (told) await run({ cmd: 'set_profile', about: about.trim() })
    })
    if (saved) toast(s.profile.saved)
  }
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault()
        if (renamed || told) void save()
      }}
    >
      <Field
        label={s.name.label}
        value={name}
        onInput={setName}
        testid={T.settingsName}
        error={renamed ? error : null}
        autocomplete="nickname"
      />
      <TextArea
        label={s.profile.about}
        value={about}
        onInput={setAbout}
        rows={2}
        hint={left <= TELL_BYTES ? s.profile.aboutLeft(left) : s.profile.aboutHint}
        error={left < 0 ? s.chat.over(-left) : null}
        testid={T.settingsAbout}
      />
      {(renamed || told) && (
        <div>
          <Button
            kind="primary"
            type="submit"
            small
            busy={busy}
            disabled={wrong}
            testid={T.settingsNameSave}
          >
            {s.common.save}
          </Button>
        </div>
      )}
      {problem && <ProblemNotice problem={problem} />}
    </form>
  )
}

export function Profile() {
  const me = profile.value
  if (!me) return null
  return (
    <section class="section">
      <h2 class="section-title">{s.profile.title}</h2>
      <p class="section-text">{s.profile.who}</p>
      <div class="card profile">
        <Picture me={me} />
        <Words me={me} />
        <div class="id-box">
          <span class="field-hint">{s.common.accountId}</span>
          <AccountId id={me.account} testid={T.settingsAccount} />
          <CopyButton text={me.account} small kind="ghost" />
        </div>
        {me.restored && <p class="field-hint">{s.settings.restored}</p>}
      </div>
    </section>
  )
}
