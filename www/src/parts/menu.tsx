/** A small menu behind a button: arrow keys move, Esc and a click elsewhere close. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { IconButton } from './button'
import { I, type IconName } from './icons'

/** A little more than the least width in the style sheet. */
const WIDTH_PX = 256

export interface MenuItem {
  text: string
  icon: IconName
  testid: string
  danger?: boolean
  onPick: () => void
}

export function Menu(props: { label: string; testid: string; items: MenuItem[] }) {
  const [open, setOpen] = useState(false)
  const [place, setPlace] = useState('')
  const root = useRef<HTMLDivElement>(null)

  useEffect(() => {
    if (!open) return
    root.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus()
    const outside = (event: PointerEvent) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false)
    }
    addEventListener('pointerdown', outside)
    return () => removeEventListener('pointerdown', outside)
  }, [open])

  const toggle = () => {
    const box = root.current?.getBoundingClientRect()
    if (box) {
      const above = box.bottom > innerHeight * 0.6 ? ' above' : ''
      const end = box.left + WIDTH_PX > innerWidth ? ' end' : ''
      setPlace(above + end)
    }
    setOpen(!open)
  }
  const close = () => {
    setOpen(false)
    root.current?.querySelector('button')?.focus()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (!open) return
    if (event.key === 'Escape') {
      event.stopPropagation()
      close()
    }
    if (event.key === 'Tab') setOpen(false)
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const items = [...(root.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])]
    const at = items.findIndex((item) => item === document.activeElement)
    items.at((at + step) % items.length)?.focus()
  }

  return (
    <div class={`menu${open ? ' is-open' : ''}`} ref={root} onKeyDown={onKeyDown}>
      <IconButton
        icon="more"
        label={props.label}
        testid={props.testid}
        expanded={open}
        onClick={toggle}
      />
      {open && (
        <div class={`menu-list${place}`} role="menu">
          {props.items.map((item) => (
            <button
              key={item.testid}
              type="button"
              role="menuitem"
              tabIndex={-1}
              class={item.danger ? 'menu-item danger' : 'menu-item'}
              data-testid={item.testid}
              onClick={() => {
                close()
                item.onPick()
              }}
            >
              <I name={item.icon} size={18} />
              {item.text}
            </button>
          ))}
        </div>
      )}
    </div>
  )
}
