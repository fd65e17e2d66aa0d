import { createElement, render } from 'preact'
import { describe, expect, it } from 'vitest'
import { later } from '../src/parts/later'
import { s } from '../src/strings'
import { settle } from './page'

describe('a part that is loaded later', () => {
  it('says that it is not there, is tried again, and loaded once', async () => {
    const tries: ((found: boolean) => void)[] = []
    const load = () =>
      new Promise<() => string>((resolve, reject) => {
        tries.push((found) => (found ? resolve(() => 'the part') : reject(new Error('gone'))))
      })
    const part = later(load, ({ children }) => createElement('main', {}, children))
    const root = document.body.appendChild(document.createElement('div'))
    part.load()
    render(createElement(part.View, {}), root)
    await settle()
    expect(tries).toHaveLength(1)
    expect(root.querySelector('[aria-busy=true]')).not.toBeNull()

    tries[0]?.(false)
    await settle()
    expect(root.textContent).toContain(s.later.failed)
    root.querySelector('button')?.click()
    await settle()
    expect(tries).toHaveLength(2)
    tries[1]?.(true)
    await settle()
    expect(root.textContent).toBe('the part')
    part.load()
    render(null, root)
    render(createElement(part.View, {}), root)
    await settle()
    expect(root.textContent).toBe('the part')
    expect(tries).toHaveLength(2)
  })
})
