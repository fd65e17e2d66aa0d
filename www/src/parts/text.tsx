/** Text that somebody wrote: text nodes only, with web addresses made into links. */
import type { ComponentChildren } from 'preact'
import { go, pendingLink } from '../state/route'

const ADDRESS = /https?:\/\/[^\s<>"'`]+/gi
/** Punctuation that ends a sentence rather than an address. */
const TRAILING = /[.,;:!?)\]}»”’]+$/

function isWebAddress(text: string): boolean {
  try {
    const { protocol } = new URL(text)
    return protocol === 'http:' || protocol === 'https:'
  } catch {
    return false
  }
}

export function linkTokens(text: string): { text: string; href?: string }[] {
  const tokens: { text: string; href?: string }[] = []
  let at = 0
  for (const match of text.matchAll(ADDRESS)) {
    const address = match[0].replace(TRAILING, '')
    if (!isWebAddress(address)) continue
    if (match.index > at) tokens.push({ text: text.slice(at, match.index) })
    tokens.push({ text: address, href: address })
    at = match.index + address.length
  }
  if (at < text.length) tokens.push({ text: text.slice(at) })
  return tokens
}

/** As long as any invitation, and in the alphabet and version of one. */
const INVITATION = /#A[Q-Za-f][\w-]{80,}$/

export const isInvitation = (address: string) => INVITATION.test(address)

/** What a new device shows, to be scanned in Settings. */
const LINK_CODE = /^\s*wiremin:link\//i

export const isLinkCode = (text: string) => LINK_CODE.test(text)

/** An invitation is answered in this page and tab, whatever host its link names. */
function openHere(event: MouseEvent, link: string): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return
  event.preventDefault()
  pendingLink.value = link
  go({ view: 'open' })
}

function Address({ href, text }: { href: string; text: string }) {
  return (
    <a
      href={href}
      target="_blank"
      rel="noopener noreferrer nofollow"
      {...(isInvitation(href) && { onClick: (event: MouseEvent) => openHere(event, href) })}
    >
      {text}
    </a>
  )
}

export function UserText({ text }: { text: string }) {
  return linkTokens(text).map((token, at): ComponentChildren =>
    token.href ? <Address key={at} href={token.href} text={token.text} /> : token.text,
  )
}
