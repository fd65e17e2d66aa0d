/** A QR code as one SVG path. The encoder is loaded when the first code is shown. */
import { useEffect, useState } from 'preact/hooks'
import { s } from '../strings'

interface Code {
  size: number
  path: string
}

/** Dark modules of a row that touch become one rectangle. */
function pathOf(rows: readonly (readonly boolean[])[]): string {
  let path = ''
  rows.forEach((row, y) => {
    let x = 0
    while (x < row.length) {
      let end = x
      while (row[end]) end++
      if (end > x) path += `M${x} ${y}h${end - x}v1h-${end - x}z`
      x = end + 1
    }
  })
  return path
}

export function Qr(props: {
  text: string
  label: string
  /** Said where it cannot be drawn. */
  failed?: string
  testid?: string
}) {
  const [code, setCode] = useState<Code | 'failed' | null>(null)
  useEffect(() => {
    let current = true
    import('uqr')
      .then(({ encode }) => {
        const { data, size } = encode(props.text, { ecc: 'L', border: 3 })
        if (current) setCode({ size, path: pathOf(data) })
      })
      .catch(() => current && setCode('failed'))
    return () => {
      current = false
    }
  }, [props.text])

  if (code === 'failed') return <p class="field-hint">{props.failed ?? s.invite.qrFailed}</p>
  return (
    <div class="qr" data-testid={props.testid} data-ready={code !== null}>
      {code && (
        <svg
          viewBox={`0 0 ${code.size} ${code.size}`}
          role="img"
          aria-label={props.label}
          shape-rendering="crispEdges"
        >
          <rect width={code.size} height={code.size} fill="#fff" />
          <path d={code.path} fill="#0b1412" />
        </svg>
      )}
    </div>
  )
}
