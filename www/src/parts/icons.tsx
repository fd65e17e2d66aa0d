/** Line icons on a 20-pixel grid, drawn with the colour of the text around them. */
import type { ComponentChildren, JSX } from 'preact'

function Icon({ children, size = 20 }: { children: ComponentChildren; size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      stroke-width="1.6"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      {children}
    </svg>
  )
}

const paths = {
  back: <path d="M12 4.5 6.5 10l5.5 5.5" />,
  next: <path d="M8 4.5 13.5 10 8 15.5" />,
  close: <path d="m5 5 10 10M15 5 5 15" />,
  check: <path d="m4.5 10.5 3.5 3.5 7.5-8" />,
  checks: <path d="m2 10.5 3.5 3.5L12 6.5M9.5 13l1 1L18 6.5" />,
  plus: <path d="M10 4v12M4 10h12" />,
  send: <path d="M10 16V4.5M5 9l5-5 5 5" />,
  more: (
    <g fill="currentColor" stroke="none">
      <circle cx="4.5" cy="10" r="1.5" />
      <circle cx="10" cy="10" r="1.5" />
      <circle cx="15.5" cy="10" r="1.5" />
    </g>
  ),
  gear: (
    <>
      <path d="M3 6h7M15 6h2M3 14h2M10 14h7" />
      <circle cx="12.5" cy="6" r="2.2" />
      <circle cx="7.5" cy="14" r="2.2" />
    </>
  ),
  lock: (
    <>
      <rect x="4.5" y="9" width="11" height="7.5" rx="2" />
      <path d="M7 9V6.5a3 3 0 0 1 6 0V9" />
    </>
  ),
  link: (
    <>
      <path d="M8.5 11.5a3 3 0 0 0 4.3 0l2.4-2.4a3 3 0 1 0-4.3-4.3l-.9.9" />
      <path d="M11.5 8.5a3 3 0 0 0-4.3 0l-2.4 2.4a3 3 0 1 0 4.3 4.3l.9-.9" />
    </>
  ),
  invite: (
    <>
      <circle cx="8" cy="6.5" r="2.9" />
      <path d="M2.5 16.5c.5-3.2 2.7-4.8 5.5-4.8 1.3 0 2.4.3 3.3.9M15 11.5v5M12.5 14h5" />
    </>
  ),
  wave: (
    <>
      <path d="M4 5.5A1.5 1.5 0 0 1 5.5 4h9A1.5 1.5 0 0 1 16 5.5v6a1.5 1.5 0 0 1-1.5 1.5H9l-3.5 3v-3A1.5 1.5 0 0 1 4 11.5z" />
      <path d="M7.5 8.5h5" />
    </>
  ),
  copy: (
    <>
      <rect x="7" y="7" width="9" height="9" rx="2" />
      <path d="M13 4.5A1.5 1.5 0 0 0 11.5 4h-6A1.5 1.5 0 0 0 4 5.5v6a1.5 1.5 0 0 0 .5 1" />
    </>
  ),
  clock: (
    <>
      <circle cx="10" cy="10" r="6.5" />
      <path d="M10 6.5V10l2.3 1.8" />
    </>
  ),
  stored: (
    <>
      <path d="M4 11.5 5.8 5h8.4L16 11.5V15H4z" />
      <path d="M4 11.5h3.5l1 1.8h3l1-1.8H16" />
    </>
  ),
  warn: (
    <>
      <path d="M10 3.5 17.5 16h-15z" />
      <path d="M10 8.5v3.3M10 14v.1" />
    </>
  ),
  info: (
    <>
      <circle cx="10" cy="10" r="6.8" />
      <path d="M10 9.3v4M10 6.7v.1" />
    </>
  ),
  stop: (
    <>
      <circle cx="10" cy="10" r="6.5" />
      <path d="m5.5 14.5 9-9" />
    </>
  ),
  work: <path d="M10 3.5a6.5 6.5 0 1 0 6.5 6.5" />,
  retry: <path d="M15.5 8A6 6 0 1 0 16 11.5M15.8 4v4h-4" />,
  trash: <path d="M4 6h12M8 6V4h4v2M5.5 6l.7 10h7.6l.7-10" />,
  eye: (
    <>
      <path d="M2.5 10S5 5 10 5s7.5 5 7.5 5-2.5 5-7.5 5-7.5-5-7.5-5z" />
      <circle cx="10" cy="10" r="2.2" />
    </>
  ),
  eyeOff: (
    <path d="M3 3l14 14M8 5.3c.6-.2 1.3-.3 2-.3 5 0 7.5 5 7.5 5s-.8 1.5-2.2 2.9M5 7C3.4 8.3 2.5 10 2.5 10s2.5 5 7.5 5c1.2 0 2.3-.3 3.2-.8" />
  ),
  down: <path d="M10 4v11.5M5 11l5 5 5-5" />,
  file: (
    <>
      <path d="M5.5 3.5h6l3 3v10h-9z" />
      <path d="M11.5 3.5v3h3" />
    </>
  ),
  key: (
    <>
      <circle cx="7" cy="12.5" r="3.2" />
      <path d="m9.4 10.3 6.1-6M13 6.8l2 2" />
    </>
  ),
  relay: (
    <>
      <circle cx="10" cy="10" r="2" />
      <path d="M6 14a5.6 5.6 0 0 1 0-8M14 6a5.6 5.6 0 0 1 0 8M3.7 16.3a9 9 0 0 1 0-12.6M16.3 3.7a9 9 0 0 1 0 12.6" />
    </>
  ),
  globe: (
    <>
      <circle cx="10" cy="10" r="6.8" />
      <path d="M3.2 10h13.6M10 3.2c-4.5 4.4-4.5 9.2 0 13.6 4.5-4.4 4.5-9.2 0-13.6z" />
    </>
  ),
  people: (
    <>
      <circle cx="7.5" cy="7" r="2.7" />
      <path d="M2.5 16c.4-2.9 2.4-4.4 5-4.4s4.6 1.5 5 4.4M13 4.6a2.6 2.6 0 0 1 0 4.9M14.8 12.2c1.5.6 2.4 1.9 2.7 3.8" />
    </>
  ),
  camera: (
    <>
      <path d="M3 7.5A1.5 1.5 0 0 1 4.5 6h2L8 4h4l1.5 2h2A1.5 1.5 0 0 1 17 7.5v7a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 14.5z" />
      <circle cx="10" cy="10.7" r="2.8" />
    </>
  ),
  device: (
    <>
      <rect x="3.5" y="4" width="13" height="9" rx="1.6" />
      <path d="M7.5 16.5h5M10 13v3.5" />
    </>
  ),
} satisfies Record<string, JSX.Element>

export type IconName = keyof typeof paths

export function I({ name, size }: { name: IconName; size?: number }) {
  return <Icon {...(size ? { size } : {})}>{paths[name]}</Icon>
}

/** The mark: a wire between two people, bent into a W. */
export function Mark({ size = 40 }: { size?: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect class="mark-ground" width="32" height="32" rx="9.5" />
      <path
        d="M7 11l5 11 4-9 4 9 5-11"
        fill="none"
        stroke="#fff"
        stroke-width="2.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
      <circle cx="7" cy="10.4" r="2.6" fill="#fff" />
      <circle class="mark-far" cx="25" cy="10.4" r="2.6" />
    </svg>
  )
}
