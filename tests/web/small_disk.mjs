/** A browser that keeps databases on a small disk of their own, which can be filled. */
import { execFileSync, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MIB = 1024 * 1024

/** Why there can be no such disk here, or null. */
export function lacksSmallDisk() {
  const [where, mounted] = mount()
  if (mounted) unmount(where)
  fs.rmSync(where, { recursive: true })
  return mounted ? null : 'no disk can be mounted here: neither root nor `unshare -r -m` may'
}

/** Whether this process would be let if it were started anew by `unshare`. */
export const mayUnshare = () =>
  spawnSync('unshare', ['-r', '-m', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]).status === 0

function mount() {
  const where = fs.mkdtempSync(join(tmpdir(), 'wiremin-disk-'))
  const options = ['-t', 'tmpfs', '-o', `size=${64 * MIB}`, 'tmpfs', where]
  return [where, spawnSync('mount', options).status === 0]
}

const unmount = (where) => execFileSync('umount', ['-l', where])

/** The disk, and the profile whose databases and files lie on it. */
export function smallDisk() {
  const [where, mounted] = mount()
  if (!mounted) throw new Error('it was mounted a moment ago')
  const profile = fs.mkdtempSync(join(tmpdir(), 'wiremin-profile-'))
  fs.mkdirSync(join(profile, 'Default'))
  for (const name of ['IndexedDB', 'File System']) {
    fs.mkdirSync(join(where, name))
    fs.symlinkSync(join(where, name), join(profile, 'Default', name))
  }
  const filling = join(where, 'filling')
  return {
    profile,
    /** Leaves not one byte. */
    fill() {
      const file = fs.openSync(filling, 'a')
      try {
        for (const size of [MIB, 4096]) {
          const bytes = Buffer.alloc(size, 1)
          for (let wrote = size; wrote === size;) wrote = writeOrNothing(file, bytes)
        }
      } finally {
        fs.closeSync(file)
      }
    },
    free: () => fs.rmSync(filling),
    /** As Chromium does with what it takes for damaged. */
    deleteDatabases() {
      const databases = join(where, 'IndexedDB')
      for (const name of fs.readdirSync(databases)) {
        fs.rmSync(join(databases, name), { recursive: true })
      }
    },
    remove() {
      unmount(where)
      fs.rmSync(where, { recursive: true })
      fs.rmSync(profile, { recursive: true, force: true })
    },
  }
}

function writeOrNothing(file, bytes) {
  try {
    return fs.writeSync(file, bytes)
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error
    return 0
  }
}
