/**
 * Pictures of people, each asked for once by its hash.
 * Invariant: what is given out is a data URL of a kind of picture that browsers only draw, never
 * of a document; a locked page keeps none.
 */
import { effect, signal, type Signal } from '@preact/signals'
import { ask, isOpen } from './store'

interface Picture {
  /** Null: not here yet, or nothing that can be shown. */
  url: Signal<string | null>
  asked: boolean
}

const MEDIA = new Set(['image/png', 'image/jpeg', 'image/webp'])
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

const pictures = new Map<string, Picture>()
effect(() => {
  if (!isOpen.value) pictures.clear()
})

function known(hash: string): Picture {
  const picture = pictures.get(hash) ?? { url: signal(null), asked: false }
  pictures.set(hash, picture)
  return picture
}

export function dataUrl(media: string, base64: string): string | null {
  return MEDIA.has(media) && BASE64.test(base64) ? `data:${media};base64,${base64}` : null
}

/** The picture with that hash, if it is here. Who reads it is drawn again when it has come. */
export const pictureOf = (hash: string): string | null => known(hash).url.value

/** Asks for the picture with that hash, which that account shows. */
export async function fetchPicture(account: string, hash: string): Promise<void> {
  const picture = known(hash)
  if (picture.asked) return
  picture.asked = true
  try {
    const { media, avatar } = await ask('avatar', { cmd: 'avatar', contact: account })
    picture.url.value = dataUrl(media, avatar)
  } catch {
    // Asked for again when it next comes into sight.
    picture.asked = false
  }
}

/** It cannot be drawn: the letter stands in its place. */
export function dropPicture(hash: string): void {
  known(hash).url.value = null
}
