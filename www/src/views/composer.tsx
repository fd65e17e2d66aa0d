/** Where a message is written. Drafts last as long as the page, each with its contact. */
import { effect } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { byteLength, TEXT_BYTES_MAX } from '../limits'
import { IconButton } from '../parts/button'
import { isTouch } from '../parts/focus'
import { toastProblem } from '../parts/toast'
import type { ContactView } from '../state/api'
import { isOpen, send } from '../state/store'
import { s } from '../strings'
import { T } from '../testids'

const drafts = new Map<string, string>()
/** The count appears when this much is left. */
const TELL_BYTES = 300

// A locked page keeps nothing that was written.
effect(() => {
  if (!isOpen.value) drafts.clear()
})

export function Composer({ contact }: { contact: ContactView }) {
  const [text, setText] = useState(drafts.get(contact.contact) ?? '')
  const area = useRef<HTMLTextAreaElement>(null)
  const left = TEXT_BYTES_MAX - byteLength(text.trim())
  const sendable = text.trim() !== '' && left >= 0

  const change = (next: string) => {
    drafts.set(contact.contact, next)
    setText(next)
  }
  useEffect(() => {
    if (!isTouch()) area.current?.focus()
  }, [])
  useLayoutEffect(() => {
    const { current } = area
    if (!current) return
    current.style.height = 'auto'
    current.style.height = `${current.scrollHeight}px`
  }, [text])

  const submit = async () => {
    if (!sendable) return
    const sent = text
    change('')
    area.current?.focus()
    try {
      await send(contact.contact, sent.trim())
    } catch (error) {
      if (!isOpen.value) return
      // Back into the field, in front of what was typed since.
      change(sent + (drafts.get(contact.contact) ?? ''))
      toastProblem(error)
    }
  }
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        void submit()
      }}
    >
      <div class="composer-box">
        <textarea
          ref={area}
          rows={1}
          dir="auto"
          value={text}
          placeholder={s.chat.placeholder(contact.name)}
          aria-label={s.chat.placeholder(contact.name)}
          aria-describedby="composer-count"
          aria-invalid={left < 0}
          title={isTouch() ? undefined : s.chat.keys}
          data-testid={T.composer}
          onInput={(event) => change(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing || isTouch()) return
            event.preventDefault()
            void submit()
          }}
        />
        <span class="composer-send">
          <IconButton
            icon="send"
            label={s.chat.send}
            testid={T.send}
            disabled={!sendable}
            onClick={() => void submit()}
          />
        </span>
      </div>
      <p
        id="composer-count"
        class={left < 0 ? 'composer-count over' : 'composer-count'}
        data-testid={T.composerCount}
        data-left={left}
        role={left < 0 ? 'alert' : undefined}
      >
        {left < 0 ? s.chat.over(-left) : left <= TELL_BYTES ? s.chat.left(left) : ''}
      </p>
    </form>
  )
}
