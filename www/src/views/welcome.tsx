/** The first page of an empty device. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { servedByRelay } from '../ownRelay'
import { I, Mark, type IconName } from '../parts/icons'
import { s } from '../strings'
import { T } from '../testids'
import { wizards } from './later'
import { PendingInvite } from './pending'
import { Unprotected } from './unprotected'

function Way(props: {
  icon: IconName
  title: string
  hint: string
  testid: string
  primary?: boolean
  onClick: () => void
}) {
  return (
    <button
      type="button"
      class={props.primary ? 'way primary' : 'way'}
      data-testid={props.testid}
      onClick={props.onClick}
    >
      <I name={props.icon} size={22} />
      <span class="way-text">
        <strong>{props.title}</strong>
        <span>{props.hint}</span>
      </span>
      <I name="next" />
    </button>
  )
}

export function Welcome() {
  const [way, setWay] = useState<keyof typeof wizards | null>(null)
  const leave = () => setWay(null)
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => title.current?.focus({ preventScroll: true }), [way])
  useEffect(() => Object.values(wizards).forEach(({ load }) => load()), [])
  if (way) {
    const { View } = wizards[way]
    return <View onLeave={leave} />
  }
  return (
    <main class="welcome" id="main" data-testid={T.welcome}>
      <div class="welcome-inner">
        <div class="welcome-brand">
          <Mark size={56} />
          <span>{s.app}</span>
        </div>
        <h1 ref={title} tabIndex={-1}>
          {s.welcome.title.map((line) => (
            <span key={line}>{line} </span>
          ))}
        </h1>
        <p class="lead">{s.welcome.lead}</p>
        <Unprotected />
        <PendingInvite locked={false} />
        <div class="ways">
          <Way
            icon="plus"
            title={s.welcome.create}
            hint={s.welcome.createHint}
            testid={T.welcomeCreate}
            onClick={() => setWay('create')}
            primary
          />
          <Way
            icon="device"
            title={s.welcome.link}
            hint={s.welcome.linkHint}
            testid={T.welcomeLink}
            onClick={() => setWay('link')}
          />
          <Way
            icon="key"
            title={s.welcome.restore}
            hint={s.welcome.restoreHint}
            testid={T.welcomeRestore}
            onClick={() => setWay('restore')}
          />
          <Way
            icon="file"
            title={s.welcome.import}
            hint={s.welcome.importHint}
            testid={T.welcomeImport}
            onClick={() => setWay('import')}
          />
        </div>
        <p class="welcome-host" data-testid={T.welcomeHost}>
          {s.welcome.host(location.host)}
          {servedByRelay.value === false && `. ${s.welcome.noRelay}`}
        </p>
      </div>
    </main>
  )
}
