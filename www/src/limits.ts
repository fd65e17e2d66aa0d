/** Bounds the page tells before the core would refuse. Same numbers as shared/account/src/shown.rs. */

export const TEXT_BYTES_MAX = 2000
export const GREETING_BYTES_MAX = 500
export const NAME_BYTES_MAX = 64
export const PASSCODE_CHARS_MIN = 8
export const WORDS = 18
export const IMPORT_BYTES_MAX = 64 * 1024 * 1024

const encoder = new TextEncoder()
export function byteLength(text: string): number {
  return encoder.encode(text).length
}
