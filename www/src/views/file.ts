/** Files, as exported accounts and pictures are: base64 in the commands, bytes on disk. */

export async function fromFile(file: Blob): Promise<string> {
  const bytes = new Uint8Array(await file.arrayBuffer())
  let text = ''
  const CHUNK = 0x8000
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK))
  }
  return btoa(text)
}

export function toBytes(base64: string): Uint8Array<ArrayBuffer> {
  // Both alphabets of base64, with or without padding.
  const text = atob(base64.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0))
}

/** Offers the bytes as a download. */
export function saveFile(base64: string, name: string): void {
  const blob = new Blob([toBytes(base64)], { type: 'application/octet-stream' })
  const url = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
