/** Draws a component again only when one of its properties is another: for rows of long lists. */
import { Component, h, type ComponentChild, type FunctionComponent } from 'preact'

export function memo<P extends object>(draw: FunctionComponent<P>): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      const keys = Object.keys(next) as (keyof P)[]
      return keys.some((key) => next[key] !== this.props[key as keyof typeof this.props])
    }

    override render(): ComponentChild {
      return h(draw, this.props as P & { children?: never })
    }
  }
  return Memo as unknown as FunctionComponent<P>
}
