/**
 * Bounds the page tells before the core would refuse. Same numbers as shared/account/src/shown.rs,
 * profile.rs and picture.rs.
 */

export const TEXT_BYTES_MAX = 2000
export const GREETING_BYTES_MAX = 500
export const NAME_BYTES_MAX = 64
export const ABOUT_BYTES_MAX = 500
/** Of a picture: the whole of it, and its longer side in pixels. */
export const PICTURE_BYTES_MAX = 12_288
export const PICTURE_SIDE_MAX = 256
export const PASSCODE_CHARS_MIN = 8
export const WORDS = 18
export const IMPORT_BYTES_MAX = 64 * 1024 * 1024

const encoder = new TextEncoder()
export function byteLength(text: string): number {
  return encoder.encode(text).length
}
