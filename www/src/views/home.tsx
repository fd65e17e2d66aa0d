/** The right pane while nothing is picked: what to do next. */
import { useEffect, useRef } from 'preact/hooks'
import { I, Mark, type IconName } from '../parts/icons'
import { go } from '../state/route'
import { contacts, lone, profile, recovery } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { isTold } from './recovery'

function Card(props: { icon: IconName; title: string; text: string; onClick: () => void }) {
  return (
    <button type="button" class="home-card" onClick={props.onClick}>
      <span class="empty-icon">
        <I name={props.icon} size={24} />
      </span>
      <strong>{props.title}</strong>
      <span>{props.text}</span>
    </button>
  )
}

function FirstContact() {
  return (
    <div class="home-cards">
      <Card
        icon="invite"
        title={s.home.inviteTitle}
        text={s.home.inviteText}
        onClick={() => go({ view: 'invites' })}
      />
      <Card
        icon="link"
        title={s.home.openTitle}
        text={s.home.openText}
        onClick={() => go({ view: 'open' })}
      />
    </div>
  )
}

function FirstRelay() {
  return (
    <div class="home-cards">
      <Card
        icon="link"
        title={s.home.openTitle}
        text={s.home.openRelayText}
        onClick={() => go({ view: 'open' })}
      />
      <Card
        icon="relay"
        title={s.home.addRelayTitle}
        text={s.home.addRelayText}
        onClick={() => go({ view: 'settings' })}
      />
    </div>
  )
}

export function Home() {
  const first = contacts.value.length === 0
  const { name = '', restored = false } = profile.value ?? {}
  const way = recovery.value
  const returning = isTold(way)
  // While it is looked for what there was, nobody needs to begin anew, but a relay is needed.
  const begins = first && (!returning || way.state !== 'looking' || lone.value)
  const [heading, lead] = returning
    ? [s.home.restoredTitle(name), s.recovery.what]
    : !first
      ? [s.home.title, s.home.lead]
      : restored
        ? [s.home.restoredTitle(name), s.home.restoredLead]
        : [s.home.firstTitle(name), lone.value ? '' : s.home.firstLead]
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    // Unless the list took the focus back to where one came from.
    if (document.activeElement === document.body) title.current?.focus()
  }, [])
  return (
    <div class="home">
      <Mark size={52} />
      <h1 dir="auto" ref={title} tabIndex={-1}>
        {heading}
      </h1>
      {lead && <p class="lead">{lead}</p>}
      {lone.value && (
        <p class="lead" data-testid={T.noRelay}>
          {s.home.noRelay}
        </p>
      )}
      {begins && (lone.value ? <FirstRelay /> : <FirstContact />)}
    </div>
  )
}
