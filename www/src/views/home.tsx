/** The right pane while nothing is picked: what to do next. */
import { I, Mark, type IconName } from '../parts/icons'
import { go } from '../state/route'
import { contacts, profile } from '../state/store'
import { s } from '../strings'

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

export function Home() {
  const first = contacts.value.length === 0
  const name = profile.value?.name ?? ''
  return (
    <div class="home">
      <Mark size={52} />
      <h1 dir="auto">{first ? s.home.firstTitle(name) : s.home.title}</h1>
      <p class="lead">{first ? s.home.firstLead : s.home.lead}</p>
      {first && (
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
      )}
    </div>
  )
}
