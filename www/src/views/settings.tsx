/** Everything about one's own account and this device, on one page. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { Avatar } from '../parts/avatar'
import { Button } from '../parts/button'
import { Segmented, Switch } from '../parts/field'
import { I, type IconName } from '../parts/icons'
import { memo } from '../parts/memo'
import { Sheet } from '../parts/sheet'
import { toastProblem } from '../parts/toast'
import { theme, type Theme } from '../state/prefs'
import { chooseTheme } from '../state/settings'
import { blocked, contacts, hasWords, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Devices } from './devices'
import { EraseSheet } from './erase'
import { Pane } from './pane'
import { Profile } from './profile'
import { Relays } from './relays'
import { Repair } from './repair'
import { ChangePasscodeSheet, ExportSheet, ShowWordsSheet } from './secrets'
import { Learn } from './wizard'

export function Section(props: { title: string; text?: string; children: ComponentChildren }) {
  return (
    <section class="section">
      <h2 class="section-title">{props.title}</h2>
      {props.text && <p class="section-text">{props.text}</p>}
      <div class="card rows">{props.children}</div>
    </section>
  )
}

function Row(props: {
  icon: IconName
  title: string
  hint?: string
  danger?: boolean
  testid: string
  onClick: () => void
}) {
  return (
    <button
      type="button"
      class={props.danger ? 'settings-row danger' : 'settings-row'}
      data-testid={props.testid}
      onClick={props.onClick}
    >
      <I name={props.icon} />
      <span class="settings-text">
        <span>{props.title}</span>
        {props.hint && <span class="field-hint">{props.hint}</span>}
      </span>
      <I name="next" size={18} />
    </button>
  )
}

const Acknowledgement = memo(function Acknowledgement(props: {
  contact: string
  name: string
  on: boolean
}) {
  const { contact, name, on } = props
  return (
    <Switch
      label={<bdi>{name}</bdi>}
      on={on}
      onChange={(on) => void run({ cmd: 'acknowledge', contact, on }).catch(toastProblem)}
      testid={T.acknowledge}
      contact={contact}
    />
  )
})

function Acknowledgements() {
  const all = contacts.value
  return (
    <Section title={s.settings.acknowledgements} text={s.settings.acknowledgementsText}>
      {all.length === 0 && <p class="row-note">{s.settings.acknowledgementsNone}</p>}
      {all.map(({ contact, name, acknowledge }) => (
        <Acknowledgement key={contact} contact={contact} name={name} on={acknowledge} />
      ))}
    </Section>
  )
}

function Blocked() {
  if (blocked.value.length === 0) return null
  const unblock = (contact: string) => void run({ cmd: 'unblock', contact }).catch(toastProblem)
  return (
    <Section title={s.settings.blocked}>
      {blocked.value.map((contact) => (
        <div key={contact.contact} class="settings-row" data-contact={contact.contact}>
          <Avatar id={contact.contact} name={contact.name} picture={contact.avatar} size={34} />
          <bdi class="settings-text">{contact.name}</bdi>
          <Button small testid={T.unblock} onClick={() => unblock(contact.contact)}>
            {s.settings.unblock}
          </Button>
        </div>
      ))}
    </Section>
  )
}

function Appearance() {
  const options = (['system', 'light', 'dark'] as const).map((value) => ({
    value,
    text: s.settings.themes[value],
  }))
  return (
    <section class="section">
      <h2 class="section-title">{s.settings.theme}</h2>
      <div class="card">
        <Segmented<Theme>
          label={s.settings.theme}
          quiet
          options={options}
          value={theme.value}
          onChange={(value) => void chooseTheme(value).catch(toastProblem)}
          testid={T.theme}
        />
      </div>
    </section>
  )
}

type Over = 'words' | 'passcode' | 'export' | 'learn' | 'erase'

function Overs({ over, onClose }: { over: Over; onClose: () => void }) {
  switch (over) {
    case 'words':
      return <ShowWordsSheet onClose={onClose} />
    case 'passcode':
      return <ChangePasscodeSheet onClose={onClose} />
    case 'export':
      return <ExportSheet onClose={onClose} />
    case 'erase':
      return <EraseSheet onClose={onClose} />
    case 'learn':
      return (
        <Sheet title={s.learn.title} onClose={onClose}>
          <Learn />
        </Sheet>
      )
  }
}

export function Settings() {
  const [over, setOver] = useState<Over | null>(null)
  const show = (which: Over) => () => setOver(which)
  return (
    <Pane title={s.settings.title} testid={T.settings}>
      <Profile />
      <Section title={s.settings.security}>
        {hasWords.value && (
          <Row
            icon="eye"
            title={s.settings.showWords}
            hint={s.settings.showWordsHint}
            testid={T.settingsWords}
            onClick={show('words')}
          />
        )}
        <Row
          icon="key"
          title={s.settings.changePasscode}
          hint={s.settings.changeHint}
          testid={T.settingsPasscode}
          onClick={show('passcode')}
        />
        <Row
          icon="lock"
          title={s.settings.lock}
          hint={s.settings.lockHint}
          testid={T.settingsLock}
          onClick={() => void run({ cmd: 'lock' }).catch(toastProblem)}
        />
      </Section>
      <Devices />
      {hasWords.value && (
        <Section title={s.settings.backup} text={s.settings.backupText}>
          <Row
            icon="file"
            title={s.settings.export}
            testid={T.settingsExport}
            onClick={show('export')}
          />
          <p class="row-note">{s.settings.import}</p>
        </Section>
      )}
      <Relays />
      <Acknowledgements />
      <Blocked />
      <Appearance />
      <Section title={s.settings.privacy}>
        <Row
          icon="info"
          title={s.settings.privacyShow}
          testid={T.privacy}
          onClick={show('learn')}
        />
      </Section>
      {hasWords.value && <Repair />}
      <Section title={s.settings.erase}>
        <Row
          icon="trash"
          title={s.settings.erase}
          hint={s.settings.eraseText}
          testid={T.settingsErase}
          onClick={show('erase')}
          danger
        />
      </Section>
      {over && <Overs over={over} onClose={() => setOver(null)} />}
    </Pane>
  )
}
