/** Starts the page, then the peer: the page is there while the WASM loads. */
import '@fontsource-variable/figtree'
import './styles/tokens.css'
import './styles/base.css'
import './styles/parts.css'
import './styles/overlays.css'
import './styles/pages.css'
import './styles/app.css'
import './styles/list.css'
import './styles/chat.css'
import './styles/devices.css'
import './parts/viewport'
import './state/prefs'
import { render } from 'preact'
import { followRelay } from './state/moved'
import { startRouting } from './state/route'
import { followSettings } from './state/settings'
import { start } from './state/store'
import { App } from './views/app'

const root = document.getElementById('app')
if (root) {
  startRouting()
  followRelay()
  followSettings()
  // What is said where no script runs.
  root.replaceChildren()
  render(<App />, root)
  void start()
}
