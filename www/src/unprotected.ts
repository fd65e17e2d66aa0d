/**
 * A page that came over plain http, from another machine: anybody on the way could have changed it,
 * and browsers keep from it what they give to protected pages only. It works without: see
 * SECURITY.md. What is missing is the remembered passcode (WebCrypto), one tab at a time (Web
 * Locks), storage that the browser was asked to keep, and the clipboard.
 */
export const unprotected = (): boolean => globalThis.isSecureContext === false
