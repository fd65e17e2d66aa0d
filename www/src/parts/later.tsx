/** Parts of the page that are loaded when they are near: what few see first, and is large. */
import { signal } from '@preact/signals'
import type { ComponentChildren, FunctionComponent } from 'preact'
import { useEffect } from 'preact/hooks'
import { s } from '../strings'
import { Button } from './button'
import { Notice } from './notice'

export interface Later<P> {
  /** Begins to load, so that it is there when it is wanted. */
  load: () => void
  View: FunctionComponent<P>
}

/** `Frame` stands around what is said until it is loaded, or that it is not. */
export function later<P extends object>(
  load: () => Promise<FunctionComponent<P>>,
  Frame: FunctionComponent<P & { children: ComponentChildren }>,
): Later<P> {
  const loaded = signal<{ View: FunctionComponent<P> } | 'failed' | null>(null)
  let loading: Promise<void> | null = null
  const begin = () => {
    loading ??= load()
      .then((View) => void (loaded.value = { View }))
      .catch(() => {
        loading = null
        loaded.value = 'failed'
      })
  }
  function View(props: P) {
    useEffect(begin, [])
    const now = loaded.value
    if (now !== null && now !== 'failed') return <now.View {...props} />
    return (
      <Frame {...props}>
        {now === 'failed' ? (
          <Notice tone="warn">
            <p>{s.later.failed}</p>
            <Button small icon="retry" onClick={begin}>
              {s.stop.reload}
            </Button>
          </Notice>
        ) : (
          <p class="field-hint" aria-busy="true">
            {s.chat.loading}
          </p>
        )}
      </Frame>
    )
  }
  return { load: begin, View }
}
