/** As www/src/worker.ts. */
import init, { worker_main } from './web_node.js'

const early = []
const keep = (event) => early.push(event)
addEventListener('message', keep)
await init()
removeEventListener('message', keep)
worker_main()
for (const event of early) dispatchEvent(new MessageEvent('message', { data: event.data }))
