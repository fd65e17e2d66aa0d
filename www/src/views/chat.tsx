/** One conversation: its head, the messages, and the place to write. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { Avatar } from '../parts/avatar'
import { Button, IconButton } from '../parts/button'
import { isTouch } from '../parts/focus'
import { Notice } from '../parts/notice'
import { toastProblem } from '../parts/toast'
import type { ContactView, MessageView } from '../state/api'
import { home, onEscape } from '../state/route'
import { NOTHING } from '../state/reduce'
import { conversations, elsewhere, loadHistory, putAside, removed, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { Composer } from './composer'
import { ContactSheet } from './contact'
import { Log } from './log'
import { OverChat } from './over'
import { isReturning, Returned, Returning } from './returned'

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
          <Avatar id={contact.contact} name={contact.name} picture={contact.avatar} size={38} />
          <bdi>{contact.name}</bdi>
        </button>
      </h1>
      <IconButton icon="info" label={s.chat.info(contact.name)} onClick={onInfo} />
    </header>
  )
}

/** What keeps messages from flowing, told where one would write. */
function Standing(props: { contact: ContactView; messages: MessageView[]; onCompare: () => void }) {
  const { contact, messages, onCompare } = props
  const { name } = contact
  if (contact.state === 'greeted') {
    return (
      <Notice icon="clock">
        <bdi>{s.chat.greeted(name)}</bdi>
      </Notice>
    )
  }
  const until = contact.confirm_until
  if (contact.state === 'active' && until !== undefined) {
    return <Returned contact={contact} until={until} onCompare={onCompare} />
  }
  if (isReturning(contact, messages)) return <Returning contact={contact} />
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

/** What one writes is refused while another device has taken this one's place. */
function Overtaken() {
  if (!elsewhere.value) return null
  return (
    <OverChat
      text={s.elsewhere.chat}
      testid={T.elsewhereChat}
      dismissed={elsewhere.value.dismissed}
      chooseId={T.elsewhereChoose}
      onChoose={() => putAside('elsewhere', false)}
    />
  )
}

/** In place of the field to write in, once this device is out of the account. */
function TakenOut({ dismissed }: { dismissed: boolean }) {
  return (
    <OverChat
      text={s.removed.chat}
      testid={T.removedChat}
      dismissed={dismissed}
      chooseId={T.removedChoose}
      onChoose={() => putAside('removed', false)}
    />
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
  const [info, setInfo] = useState<'about' | 'compare' | null>(null)
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
      <Head contact={contact} onInfo={() => setInfo('about')} />
      <Log contact={contact} conversation={conversation} />
      <footer class="chat-foot">
        {removed.value ? (
          <TakenOut dismissed={removed.value.dismissed} />
        ) : (
          <>
            <Overtaken />
            <Standing
              contact={contact}
              messages={conversation.messages}
              onCompare={() => setInfo('compare')}
            />
            {contact.state !== 'blocked' && <Composer contact={contact} />}
          </>
        )}
      </footer>
      {info && (
        <ContactSheet
          contact={contact}
          comparing={info === 'compare'}
          onClose={() => setInfo(null)}
        />
      )}
    </section>
  )
}
