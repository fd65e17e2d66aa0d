/**
 * A person's picture, cut to a disc. Without one, and until it is here: a disc whose colours and
 * cut come from the account id, with the first letter of the name, if any.
 */
import { useEffect, useRef } from 'preact/hooks'
import { dropPicture, fetchPicture, pictureOf } from '../state/pictures'
import { T } from '../testids'
import { whenSeen } from './sight'

/** FNV-1a: spreads ids that differ in one letter over all colours. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i)
    h = Math.imul(h, 0x01000193)
  }
  return h >>> 0
}

/** Firefox has none before version 125. */
const segmenter =
  'Segmenter' in Intl ? new Intl.Segmenter(undefined, { granularity: 'grapheme' }) : null

export function firstLetter(name: string, cut: Intl.Segmenter | null = segmenter): string {
  const trimmed = name.trim()
  const [letter] = cut ? [...cut.segment(trimmed)].map((part) => part.segment) : [...trimmed]
  return letter?.toLocaleUpperCase() ?? ''
}

function Letter(props: { id: string; name: string; size: number }) {
  const { id, name, size } = props
  const h = hash(id)
  const hue = h % 360
  const turn = (h >>> 9) % 360
  const far = (hue + 35 + ((h >>> 18) % 50)) % 360
  return (
    <svg class="avatar" width={size} height={size} viewBox="0 0 40 40" aria-hidden="true">
      <circle cx="20" cy="20" r="20" fill={`hsl(${hue} 38% 42%)`} />
      <path
        d="M20 0a20 20 0 0 1 0 40c9-9 9-31 0-40z"
        fill={`hsl(${far} 45% 52%)`}
        transform={`rotate(${turn} 20 20)`}
        opacity="0.85"
      />
      <text x="20" y="26.3" text-anchor="middle" font-size="17.5" font-weight="600" fill="#fff">
        {firstLetter(name)}
      </text>
    </svg>
  )
}

export function Avatar(props: {
  id: string
  name: string
  size?: number
  /** The hash of the picture that this account shows. */
  picture?: string | null | undefined
}) {
  const { id, name, size = 44, picture } = props
  const place = useRef<HTMLSpanElement>(null)
  const url = picture ? pictureOf(picture) : null
  useEffect(() => {
    if (!picture || !place.current) return
    return whenSeen(place.current, () => void fetchPicture(id, picture))
  }, [id, picture])
  if (!picture) return <Letter id={id} name={name} size={size} />
  return (
    <span class="avatar-place" ref={place} data-testid={T.avatar} data-picture={picture}>
      {url ? (
        <img
          class="avatar"
          src={url}
          width={size}
          height={size}
          alt=""
          decoding="async"
          draggable={false}
          onError={() => dropPicture(picture)}
        />
      ) : (
        <Letter id={id} name={name} size={size} />
      )}
    </span>
  )
}
