/** The left pane: conversations, what waits for an answer, and the ways to start. */
import { useEffect, useRef } from 'preact/hooks'
import { brief } from '../format'
import { Avatar } from '../parts/avatar'
import { Button, IconButton } from '../parts/button'
import { DeliveryState } from '../parts/delivery'
import { I, Mark } from '../parts/icons'
import { memo } from '../parts/memo'
import { Empty } from '../parts/notice'
import { toastProblem } from '../parts/toast'
import type { ContactView, RelayState } from '../state/api'
import { go, route } from '../state/route'
import { contacts, greetings, lone, profile, recovery, relays, run } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { isTold, Recovery } from './recovery'

/** The best of all relays: one that works is enough. */
function linkState(): RelayState | 'none' {
  const order: RelayState[] = ['open', 'catching_up', 'connecting', 'down']
  return order.find((state) => relays.value.some((r) => r.state === state)) ?? 'none'
}

function LinkState() {
  const state = linkState()
  return (
    <p class={`link-state ${state}`} role="status" data-testid={T.linkState} data-state={state}>
      <i aria-hidden="true" />
      {s.link[state]}
    </p>
  )
}

function preview(contact: ContactView): string {
  const { last } = contact
  if (last?.notice) return s.chat.notices[last.notice].brief
  if (last) return (last.mine ? s.list.you : '') + (last.text || s.chat.noText)
  if (contact.state === 'greeted') return s.list.greeted
  return contact.messages > 0 ? s.list.cleared : s.list.added
}

const Row = memo(function Row({ contact, current }: { contact: ContactView; current: boolean }) {
  const { last, unread } = contact
  return (
    <li>
      <button
        type="button"
        class={`conversation${unread > 0 ? ' has-unread' : ''}`}
        data-testid={T.conversation}
        data-contact={contact.contact}
        data-state={contact.state}
        aria-current={current ? 'page' : undefined}
        onClick={() => go({ view: 'chat', contact: contact.contact })}
      >
        <Avatar id={contact.contact} name={contact.name} picture={contact.avatar} size={46} />
        <span class="conversation-text">
          <span class="conversation-top">
            <bdi class="conversation-name">{contact.name}</bdi>
            <time>{brief(contact.changed)}</time>
          </span>
          <span class="conversation-bottom">
            {last?.mine && (
              <DeliveryState
                message={last}
                name={contact.name}
                confirms={contact.confirms}
                greeted={contact.state === 'greeted'}
                brief
              />
            )}
            <span class="conversation-preview" dir="auto">
              {preview(contact)}
            </span>
            {unread > 0 && (
              <span class="badge" data-testid={T.unread} aria-label={s.list.unread(unread)}>
                {unread > 99 ? '99+' : unread}
              </span>
            )}
          </span>
        </span>
      </button>
    </li>
  )
})

/** Up and down move between rows, Home and End to the first and last. */
function onArrows(event: KeyboardEvent): void {
  if (!(event.currentTarget instanceof HTMLElement)) return
  const rows = [...event.currentTarget.querySelectorAll<HTMLElement>('button')]
  const at = rows.findIndex((row) => row === document.activeElement)
  const to = {
    ArrowDown: Math.min(at + 1, rows.length - 1),
    ArrowUp: Math.max(at - 1, 0),
    Home: 0,
    End: rows.length - 1,
  }[event.key]
  if (to === undefined) return
  event.preventDefault()
  rows[to]?.focus()
}

function GreetingsRow() {
  const count = greetings.value.length
  return (
    <button
      type="button"
      class={`nav-row${count > 0 ? ' has-unread' : ''}`}
      data-testid={T.navGreetings}
      aria-current={route.value.view === 'greetings' ? 'page' : undefined}
      onClick={() => go({ view: 'greetings' })}
    >
      <span class="nav-icon">
        <I name="wave" />
      </span>
      <span class="nav-text">
        <strong>{s.list.greetings}</strong>
        {count > 0 && <span>{s.list.greetingsCount(count)}</span>}
      </span>
      {count > 0 && <span class="badge">{count}</span>}
    </button>
  )
}

/** Coming back from a conversation, the keyboard goes on at its row. */
function useReturn() {
  const list = useRef<HTMLElement>(null)
  const last = useRef<string | null>(null)
  const at = route.value
  useEffect(() => {
    if (at.view === 'home' && last.current !== null) {
      const row = `[data-contact="${CSS.escape(last.current)}"]`
      list.current?.querySelector<HTMLElement>(row)?.focus()
    }
    last.current = at.view === 'chat' ? at.contact : null
  }, [at])
  return list
}

function emptyHint(restored: boolean): string {
  if (lone.value) return s.list.noRelayHint
  return restored ? s.home.restoredLead : s.list.emptyHint
}

export function List() {
  const me = profile.value
  const at = route.value
  const all = contacts.value
  const list = useReturn()
  return (
    <nav class="list" ref={list} aria-label={s.list.title} data-testid={T.list}>
      <header class="list-head">
        <Mark size={30} />
        <span class="list-brand">{s.app}</span>
        <IconButton
          icon="gear"
          label={s.list.settings}
          testid={T.navSettings}
          current={at.view === 'settings'}
          onClick={() => go({ view: 'settings' })}
        />
        <IconButton
          icon="lock"
          label={s.list.lock}
          testid={T.navLock}
          onClick={() => void run({ cmd: 'lock' }).catch(toastProblem)}
        />
      </header>
      <div class="list-ways">
        <Button
          icon="invite"
          testid={T.navInvite}
          current={at.view === 'invites'}
          onClick={() => go({ view: 'invites' })}
        >
          {s.list.invite}
        </Button>
        <Button
          icon="link"
          testid={T.navOpen}
          current={at.view === 'open'}
          onClick={() => go({ view: 'open' })}
        >
          {s.list.open}
        </Button>
      </div>
      <div class="list-scroll">
        <Recovery />
        {(greetings.value.length > 0 || all.length > 0) && <GreetingsRow />}
        {all.length === 0 && !isTold(recovery.value) && (
          <Empty
            icon={lone.value ? 'relay' : 'people'}
            title={lone.value ? s.list.noRelay : s.list.empty}
            text={emptyHint(me?.restored ?? false)}
            testid={T.listEmpty}
          />
        )}
        <ul class="conversations" onKeyDown={onArrows}>
          {all.map((contact) => (
            <Row
              key={contact.contact}
              contact={contact}
              current={at.view === 'chat' && at.contact === contact.contact}
            />
          ))}
        </ul>
      </div>
      <footer class="list-foot">
        {me && <Avatar id={me.account} name={me.name} picture={me.avatar} size={34} />}
        <div class="list-me">
          <bdi>{me?.name}</bdi>
          <LinkState />
        </div>
      </footer>
    </nav>
  )
}
