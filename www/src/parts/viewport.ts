/**
 * The height that is left above the keyboard of a phone, for browsers that lay it over the page
 * instead of making the page smaller (Safari; others heed `interactive-widget`).
 */
const view = typeof window === 'undefined' ? null : window.visualViewport
/** Less than this is a bar of the browser, which `dvh` follows. */
const KEYBOARD_PX = 120

view?.addEventListener('resize', () => {
  const { style } = document.documentElement
  const covered = view.scale === 1 && innerHeight - view.height > KEYBOARD_PX
  if (!covered) return void style.removeProperty('--height')
  style.setProperty('--height', `${view.height}px`)
  // The browser scrolled the page to show the field; now it is in sight by itself.
  scrollTo(0, 0)
})
