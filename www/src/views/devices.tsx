/** The devices of this account, and linking another one. */
import { useState } from 'preact/hooks'
import { brief, date } from '../format'
import { Button } from '../parts/button'
import { I } from '../parts/icons'
import { ConfirmSheet } from '../parts/sheet'
import { toast } from '../parts/toast'
import type { DeviceView } from '../state/api'
import { devices, hasWords, removed, run } from '../state/store'
import { devicesText } from '../stringsDevices'
import { T } from '../testids'
import { deviceTitle } from './linking'
import { LinkSheet } from './linkold'

function heardOf({ this: here, heard }: DeviceView): string | null {
  if (here) return null
  return heard === null ? devicesText.heardNever : devicesText.heard(brief(heard))
}

/** Asked before another device is taken out of the account. */
function RemoveSheet({ device, onClose }: { device: DeviceView; onClose: () => void }) {
  const name = deviceTitle(device.name)
  const remove = async () => {
    await run({ cmd: 'remove_device', slot: device.slot })
    toast(devicesText.removed(name))
  }
  return (
    <ConfirmSheet
      title={devicesText.removeTitle(name)}
      text={devicesText.removeText}
      {...(device.full && { more: devicesText.removeFull })}
      action={devicesText.remove}
      onConfirm={remove}
      onClose={onClose}
    />
  )
}

function Device({ device }: { device: DeviceView }) {
  const [removing, setRemoving] = useState(false)
  const { name, full, since } = device
  const facts = [
    full ? devicesText.full : devicesText.linked,
    devicesText.since(date(since)),
    heardOf(device),
  ]
  return (
    <li
      class="settings-row"
      data-testid={T.device}
      data-slot={device.slot}
      data-full={full}
      data-this={device.this}
    >
      <I name="device" />
      <span class="settings-text">
        <span class="device-name">
          <bdi>{deviceTitle(name)}</bdi>
          {device.this && <span class="pill live">{devicesText.this}</span>}
        </span>
        <span class="field-hint">{facts.filter((fact) => fact !== null).join(' · ')}</span>
      </span>
      {hasWords.value && !removed.value && !device.this && (
        <Button kind="ghost" small testid={T.deviceRemove} onClick={() => setRemoving(true)}>
          {devicesText.remove}
        </Button>
      )}
      {removing && <RemoveSheet device={device} onClose={() => setRemoving(false)} />}
    </li>
  )
}

export function Devices() {
  const [linking, setLinking] = useState(false)
  const all = [...devices.value].sort((a, b) => Number(b.this) - Number(a.this) || a.slot - b.slot)
  return (
    <section class="section">
      <h2 class="section-title">{devicesText.title}</h2>
      <p class="section-text">{devicesText.text}</p>
      <div class="card rows">
        {all.length === 0 ? (
          <p class="row-note">{devicesText.lone}</p>
        ) : (
          <ul class="plain rows">
            {all.map((device) => (
              <Device key={device.slot} device={device} />
            ))}
          </ul>
        )}
        {removed.value ? (
          <p class="row-note">{devicesText.removedHere}</p>
        ) : hasWords.value ? (
          <button
            type="button"
            class="settings-row"
            data-testid={T.deviceLink}
            onClick={() => setLinking(true)}
          >
            <I name="plus" />
            <span class="settings-text">
              <span>{devicesText.link}</span>
              <span class="field-hint">{devicesText.linkHint}</span>
            </span>
            <I name="next" size={18} />
          </button>
        ) : (
          <p class="row-note" data-testid={T.wordless}>
            {devicesText.wordless}
          </p>
        )}
      </div>
      {linking && <LinkSheet onClose={() => setLinking(false)} />}
    </section>
  )
}
