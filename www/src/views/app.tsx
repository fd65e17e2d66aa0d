/** Which page is shown: by what the device is ready for, then by the route. */
import { useEffect } from 'preact/hooks'
import { focusContent } from '../parts/focus'
import { ProblemNotice } from '../parts/notice'
import { announcement, Toasts } from '../parts/toast'
import type { MessageView } from '../state/api'
import { go, pendingLink, route } from '../state/route'
import {
  contactsById,
  dismiss,
  onEvent,
  phase,
  stopped,
  troubles,
  unreadTotal,
} from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Chat } from './chat'
import { Elsewhere } from './elsewhere'
import { Greetings } from './greetings'
import { Home } from './home'
import { Invites } from './invites'
import { settings } from './later'
import { List } from './list'
import { Open } from './open'
import { Removed } from './removed'
import { Starting, Stop } from './stop'
import { Unlock } from './unlock'
import { Welcome } from './welcome'

function Content() {
  const at = route.value
  switch (at.view) {
    case 'home':
      return <Home />
    case 'greetings':
      return <Greetings />
    case 'invites':
      return <Invites />
    case 'open':
      return <Open />
    case 'settings':
      return <settings.View />
    case 'chat': {
      const contact = contactsById.value[at.contact]
      return contact ? <Chat key={at.contact} contact={contact} /> : <Home />
    }
  }
}

function Troubles() {
  if (troubles.value.length === 0) return null
  return (
    <div class="troubles">
      {troubles.value.map((problem) => (
        <ProblemNotice
          key={problem.code}
          problem={problem}
          testid={T.trouble}
          onDismiss={() => dismiss(problem.code)}
        />
      ))}
    </div>
  )
}

/** What is read out of a message that came or changed: that it is new, or was not sent. */
export function spokenOf({ mine, text, notice, delivery }: MessageView, name: string): string {
  if (notice) return s.chat.notices[notice].title(name)
  if (!mine) return s.chat.new(name, text)
  return delivery.state === 'failed' ? s.chat.failedNew(name) : ''
}

function useAnnouncements(): void {
  useEffect(
    () =>
      onEvent((event) => {
        if (event.event !== 'message') return
        const known = contactsById.peek()[event.message.contact]
        const spoken = known && spokenOf(event.message, known.name)
        if (spoken) announcement.value = spoken
      }),
    [],
  )
}

function Main() {
  useAnnouncements()
  useEffect(settings.load, [])
  const at = route.value
  const gone = at.view === 'chat' && !contactsById.value[at.contact]
  const narrow = at.view === 'home' || gone ? 'shows-list' : 'shows-content'
  return (
    <div class={`app ${narrow}`} data-testid={T.app}>
      <a class="skip" href="#main" onClick={skip}>
        {s.skip}
      </a>
      <div class="over">
        <Removed />
        <Elsewhere />
        <Troubles />
      </div>
      <List />
      <main class="content" id="main">
        <Content />
      </main>
    </div>
  )
}

/** By hand: the fragment of this page's address is for invitations. */
function skip(event: MouseEvent): void {
  event.preventDefault()
  focusContent()
}

function Gate() {
  if (stopped.value) return <Stop problem={stopped.value} />
  const now = phase.value
  switch (now.phase) {
    case 'starting':
      return <Starting />
    case 'empty':
      return <Welcome />
    case 'locked':
      return <Unlock phase={now} />
    case 'open':
      return <Main />
  }
}

/** An invitation that was waiting is shown as soon as the account is open. */
function usePending(): void {
  const open = phase.value.phase === 'open'
  useEffect(() => {
    if (open && pendingLink.value) go({ view: 'open' })
    if (open) return
    // What was shown before is not to be come back to.
    history.replaceState(null, '')
    if (route.value.view !== 'open') route.value = { view: 'home' }
  }, [open])
}

function useTitle(): void {
  const unread = phase.value.phase === 'open' ? unreadTotal.value : 0
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) ${s.app}` : s.app
  }, [unread])
}

export function App() {
  usePending()
  useTitle()
  return (
    <>
      <Gate />
      {phase.value.phase !== 'open' && !stopped.value && troubles.value.length > 0 && <Troubles />}
      <Toasts />
    </>
  )
}
