/** One conversation: its head, the messages, and the place to write. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { Avatar } from '../parts/avatar'
import { Button, IconButton } from '../parts/button'
import { isTouch } from '../parts/focus'
import { Notice } from '../parts/notice'
import { toastProblem } from '../parts/toast'
import type { ContactView } from '../state/api'
import { home, onEscape } from '../state/route'
import { NOTHING } from '../state/reduce'
import { conversations, loadHistory, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Composer } from './composer'
import { ContactSheet } from './contact'
import { Log } from './log'

function Head({ contact, onInfo }: { contact: ContactView; onInfo: () => void }) {
  const title = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    // Elsewhere the place to write takes the focus.
    if (isTouch() || contact.state === 'blocked') title.current?.focus({ preventScroll: true })
  }, [])
  return (
    <header class="chat-head">
      <span class="pane-back">
        <IconButton icon="back" label={s.common.back} testid={T.back} onClick={home} />
      </span>
      <h1 class="chat-title" ref={title} tabIndex={-1}>
        <button
          type="button"
          class="chat-who"
          title={s.chat.info(contact.name)}
          data-testid={T.chatInfo}
          onClick={onInfo}
        >
          <Avatar id={contact.contact} name={contact.name} size={38} />
          <bdi>{contact.name}</bdi>
        </button>
      </h1>
      <IconButton icon="info" label={s.chat.info(contact.name)} onClick={onInfo} />
    </header>
  )
}

/** What keeps messages from flowing, told where one would write. */
function Standing({ contact }: { contact: ContactView }) {
  const { name } = contact
  if (contact.state === 'greeted') {
    return (
      <Notice icon="clock">
        <bdi>{s.chat.greeted(name)}</bdi>
      </Notice>
    )
  }
  if (contact.state !== 'blocked') return null
  const unblock = () => void run({ cmd: 'unblock', contact: contact.contact }).catch(toastProblem)
  return (
    <Notice tone="warn" icon="stop">
      <bdi>{s.chat.blocked(name)}</bdi>{' '}
      <Button small testid={T.unblock} onClick={unblock}>
        {s.chat.unblock}
      </Button>
    </Notice>
  )
}

/** Read is what was on the screen while the page was looked at. */
function useMarkRead(contact: ContactView): void {
  const { unread } = contact
  useEffect(() => {
    if (unread === 0) return
    const mark = () => {
      if (document.visibilityState !== 'visible') return
      void run({ cmd: 'mark_read', contact: contact.contact }).catch(toastProblem)
    }
    mark()
    document.addEventListener('visibilitychange', mark)
    return () => document.removeEventListener('visibilitychange', mark)
  }, [contact.contact, unread])
}

export function Chat({ contact }: { contact: ContactView }) {
  const [info, setInfo] = useState(false)
  const conversation = conversations.value[contact.contact] ?? NOTHING
  useMarkRead(contact)
  useEffect(() => {
    void loadHistory(contact.contact).catch(toastProblem)
  }, [contact.contact])
  return (
    <section
      class="chat"
      data-testid={T.chat}
      data-contact={contact.contact}
      data-state={contact.state}
      onKeyDown={onEscape}
    >
      <Head contact={contact} onInfo={() => setInfo(true)} />
      <Log contact={contact} conversation={conversation} />
      <footer class="chat-foot">
        <Standing contact={contact} />
        {contact.state !== 'blocked' && <Composer contact={contact} />}
      </footer>
      {info && <ContactSheet contact={contact} onClose={() => setInfo(false)} />}
    </section>
  )
}
