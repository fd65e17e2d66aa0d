/** Text that somebody wrote: text nodes only, with web addresses made into links. */
import type { ComponentChildren } from 'preact'

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

export function UserText({ text }: { text: string }) {
  return linkTokens(text).map((token, at): ComponentChildren =>
    token.href ? (
      <a key={at} href={token.href} target="_blank" rel="noopener noreferrer nofollow">
        {token.text}
      </a>
    ) : (
      token.text
    ),
  )
}
