/** A page without a face: the peer of web-node, and promises around its commands. */
import init, { Peer } from './web_node.js'

const waiting = new Map()
const watchers = []
let peer = null
let nextId = 1

function onEvents(json) {
  for (const event of JSON.parse(json)) {
    globalThis.events.push(event)
    const waiter = waiting.get(event.id)
    if (event.event === 'done') waiter?.resolve(event.answer)
    if (event.event === 'failed') waiter?.reject(new Error(event.error.code))
  }
  globalThis.calls += 1
  for (const watcher of watchers.slice()) watcher()
}

globalThis.events = []
/** How often the peer called back. */
globalThis.calls = 0
globalThis.newWorker = () => new Worker('./worker.js', { type: 'module' })

/** Starts a peer; gives the problem when it does not start. */
globalThis.start = async (config = {}) => {
  await init()
  try {
    peer = await Peer.start(JSON.stringify(config), onEvents, () => globalThis.newWorker())
    return null
  } catch (error) {
    return JSON.parse(error.message)
  }
}

/** Hands a command over; gives its answer. */
globalThis.ask = (command) =>
  new Promise((resolve, reject) => {
    const id = nextId++
    waiting.set(id, { resolve, reject })
    peer.command(JSON.stringify({ ...command, id }))
  })

globalThis.command = (json) => peer.command(json)

/** Waits for an event, from the first on, that has all these fields; null after `ms`. */
globalThis.seen = (fields, ms = 30_000) =>
  new Promise((resolve) => {
    const matches = (event) => Object.entries(fields).every(([key, value]) => event[key] === value)
    const look = () => {
      const found = globalThis.events.find(matches)
      if (found) finish(found)
    }
    const finish = (found) => {
      clearTimeout(timer)
      if (watchers.includes(look)) watchers.splice(watchers.indexOf(look), 1)
      resolve(found)
    }
    const timer = setTimeout(() => finish(null), ms)
    watchers.push(look)
    look()
  })

/** Every row of every table: {table: {key as hex: value as hex}}. */
globalThis.rows = async () => {
  const db = await result(indexedDB.open('wiremin'))
  const hex = (bytes) =>
    Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const tables = {}
  for (const name of ['vault', 'state', 'messages', 'objects']) {
    const store = db.transaction(name).objectStore(name)
    const [keys, values] = await Promise.all([result(store.getAllKeys()), result(store.getAll())])
    tables[name] = Object.fromEntries(keys.map((key, i) => [hex(key), hex(values[i])]))
  }
  db.close()
  return tables
}

/** The only row of `remembered`. */
globalThis.remembered = async () => {
  const db = await result(indexedDB.open('wiremin'))
  const rows = await result(db.transaction('remembered').objectStore('remembered').getAll())
  db.close()
  return rows
}

function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

globalThis.ready = true
