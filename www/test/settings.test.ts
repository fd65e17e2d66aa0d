import { afterEach, expect, it } from 'vitest'
import { theme } from '../src/state/prefs'
import { chooseTheme, followSettings } from '../src/state/settings'
import { receive } from '../src/state/store'
import { fake } from './fakeCore'
import { open, settle } from './page'

const set = () => fake.seen.filter((command) => command.cmd === 'set_settings')
const tell = (settings: string) => receive([{ event: 'settings', settings }])

afterEach(() => {
  theme.value = 'system'
})

it('the theme goes with the account, and what is not known here stays', async () => {
  const stop = followSettings()
  await open('people')
  tell('{"theme":"dark","later":{"a":1}}')
  expect(theme.value).toBe('dark')
  await chooseTheme('light')
  await settle()
  expect(theme.value).toBe('light')
  expect(set()).toEqual([
    expect.objectContaining({ settings: '{"theme":"light","later":{"a":1}}' }),
  ])
  for (const bad of ['', 'null', '[1]', '{"theme":7}', '{"theme":"neon"}']) tell(bad)
  expect(theme.value).toBe('light')
  stop()
})

it('without an account it is this page’s alone', async () => {
  await open('empty')
  await chooseTheme('dark')
  expect(theme.value).toBe('dark')
  expect(set()).toEqual([])
})
