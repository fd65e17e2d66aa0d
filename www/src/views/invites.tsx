/** Making invitations, handing them on as link or QR code, and taking them back. */
import { useState } from 'preact/hooks'
import { ahead } from '../format'
import { Button } from '../parts/button'
import { CopyButton } from '../parts/copy'
import { Segmented, Switch } from '../parts/field'
import { I } from '../parts/icons'
import { Notice, ProblemNotice } from '../parts/notice'
import { Qr } from '../parts/qr'
import { ConfirmSheet, Sheet } from '../parts/sheet'
import { useTask } from '../parts/task'
import { toast } from '../parts/toast'
import type { InviteView } from '../state/api'
import { ask, hasWords, invites, run, work } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'
import { unprotected } from '../unprotected'
import { Pane } from './pane'

const HOURS = [1, 24, 168, 720] as const

/** The page that serves this one can open it, as can any other. */
export function linkOf(invite: InviteView): string {
  return `${location.origin}${location.pathname}#${invite.fragment}`
}

/** Names that lead every computer to itself. */
export const onLoopback = (host: string) =>
  /^(localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(host)

function Share({ link }: { link: string }) {
  if (!('share' in navigator)) return null
  // A share that is called off is no failure.
  const share = () => void navigator.share({ url: link }).catch(() => undefined)
  return <Button onClick={share}>{s.common.share}</Button>
}

function InviteSheet({ invite, onClose }: { invite: InviteView; onClose: () => void }) {
  const link = linkOf(invite)
  const share = work.value[invite.invite]
  const unsafe = unprotected() ? s.unprotected.invite : null
  const caution = onLoopback(location.hostname) ? s.invite.loopback : unsafe
  return (
    <Sheet title={s.invite.ready} onClose={onClose}>
      <p class="lead">{s.invite.readyLead}</p>
      {caution && <Notice tone="warn">{caution}</Notice>}
      <Qr text={link} label={s.invite.qr} testid={T.inviteQr} />
      <p class="invite-terms">
        {s.invite.until(ahead(invite.until))}, {invite.single_use ? s.invite.once : s.invite.many}
      </p>
      {invite.state === 'publishing' && (
        <Notice icon="clock">
          {s.invite.publishing}
          {share !== undefined && ` ${s.delivery.work(Math.min(100, Math.floor(share * 100)))}`}
        </Notice>
      )}
      <input
        class="input mono"
        readOnly
        value={link}
        aria-label={s.invite.link}
        data-testid={T.inviteLink}
        onFocus={(event) => event.currentTarget.select()}
      />
      <div class="actions">
        <CopyButton
          text={link}
          kind="primary"
          label={s.invite.copy}
          done={s.invite.copied}
          testid={T.inviteCopy}
        />
        <Share link={link} />
      </div>
    </Sheet>
  )
}

function Row(props: { invite: InviteView; onShow: () => void; onRevoke: () => void }) {
  const { invite } = props
  const usable = invite.state === 'live' || invite.state === 'publishing'
  return (
    <li
      class={usable ? 'invite-row' : 'invite-row spent'}
      data-testid={T.invite}
      data-invite={invite.invite}
      data-state={invite.state}
    >
      <I name="link" />
      <div class="invite-text">
        <strong>
          <span class={`pill ${invite.state}`}>{s.invite.states[invite.state]}</span>
        </strong>
        <span>
          {s.invite.until(ahead(invite.until))}, {invite.single_use ? s.invite.once : s.invite.many}
        </span>
      </div>
      {usable && (
        <>
          <Button small testid={T.inviteShow} onClick={props.onShow}>
            {s.invite.show}
          </Button>
          <Button small kind="ghost" testid={T.inviteRevoke} onClick={props.onRevoke}>
            {s.invite.revoke}
          </Button>
        </>
      )}
    </li>
  )
}

function MakeForm({ onMade }: { onMade: (invite: string) => void }) {
  const [hours, setHours] = useState<number>(168)
  const [single, setSingle] = useState(false)
  const { busy, problem, run: attempt } = useTask()
  const make = () =>
    void attempt(async () => {
      const answer = await ask('invitation', { cmd: 'invite', hours, single_use: single })
      onMade(answer.invite.invite)
    })
  return (
    <form
      class="card stack"
      onSubmit={(event) => {
        event.preventDefault()
        make()
      }}
    >
      <Segmented
        label={s.invite.expiry}
        options={HOURS.map((value) => ({ value, text: s.invite.hours[value] ?? '' }))}
        value={hours}
        onChange={setHours}
        testid={T.inviteHours}
      />
      <Switch
        label={s.invite.single}
        hint={s.invite.singleHint}
        on={single}
        onChange={setSingle}
        testid={T.inviteSingle}
      />
      {problem && <ProblemNotice problem={problem} />}
      <div class="actions">
        <Button kind="primary" type="submit" icon="invite" busy={busy} testid={T.inviteMake}>
          {busy ? s.invite.making : s.invite.make}
        </Button>
      </div>
    </form>
  )
}

export function Invites() {
  const [shown, setShown] = useState<string | null>(null)
  const [revoking, setRevoking] = useState<string | null>(null)
  const all = invites.value
  const open = all.find((invite) => invite.invite === shown)
  return (
    <Pane title={s.invite.title} lead={s.invite.lead} testid={T.invites}>
      {hasWords.value ? (
        <MakeForm onMade={setShown} />
      ) : (
        <Notice testid={T.wordless}>{s.invite.wordless}</Notice>
      )}
      {all.length > 0 && (
        <>
          <h2 class="section-title">{s.invite.list}</h2>
          <ul class="plain card rows">
            {all.map((invite) => (
              <Row
                key={invite.invite}
                invite={invite}
                onShow={() => setShown(invite.invite)}
                onRevoke={() => setRevoking(invite.invite)}
              />
            ))}
          </ul>
        </>
      )}
      {open && <InviteSheet invite={open} onClose={() => setShown(null)} />}
      {revoking && (
        <ConfirmSheet
          title={s.invite.revokeAsk}
          text={s.invite.revokeText}
          action={s.invite.revoke}
          onConfirm={async () => {
            await run({ cmd: 'revoke', invite: revoking })
            toast(s.invite.revoked)
          }}
          onClose={() => setRevoking(null)}
        />
      )}
    </Pane>
  )
}
