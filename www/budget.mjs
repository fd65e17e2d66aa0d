/**
 * Holds the build to its budgets: what the first load brings, and how much of it is JavaScript.
 * Also writes .br and .gz beside each file that gains by it, for hosts that send them.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const FIRST_LOAD_BYTES_MAX = 1_500_000
const JS_GZIP_BYTES_MAX = 60_000
const COMPRESSED = new Set(['.html', '.js', '.css', '.svg', '.json', '.wasm'])

const dist = fileURLToPath(new URL('./dist', import.meta.url))
const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter(
  (file) => statSync(join(dist, file)).isFile() && !/\.(br|gz)$/.test(file),
)

function compress(file) {
  const bytes = readFileSync(join(dist, file))
  if (!COMPRESSED.has(extname(file))) return { gzip: bytes.length, brotli: bytes.length }
  const gzip = gzipSync(bytes, { level: 9 })
  const brotli = brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  })
  if (gzip.length < bytes.length) writeFileSync(join(dist, `${file}.gz`), gzip)
  if (brotli.length < bytes.length) writeFileSync(join(dist, `${file}.br`), brotli)
  return { gzip: gzip.length, brotli: brotli.length }
}

const sizes = new Map(files.map((file) => [file, compress(file)]))
const manifest = JSON.parse(readFileSync(join(dist, 'assets/manifest.json'), 'utf8'))

/** Chunks that load only when something asks for them: reached by no static import. */
function lazyFiles() {
  const eager = new Set()
  const visit = (key) => {
    const chunk = manifest[key]
    if (!chunk || eager.has(chunk.file)) return
    eager.add(chunk.file)
    for (const imported of chunk.imports ?? []) visit(imported)
  }
  visit('index.html')
  const chunks = Object.values(manifest).map((chunk) => chunk.file)
  return new Set(chunks.filter((file) => file.endsWith('.js') && !eager.has(file)))
}

const lazy = lazyFiles()
const first = files.filter((file) => !lazy.has(file) && !file.endsWith('manifest.json'))
const sum = (list, kind) => list.reduce((total, file) => total + (sizes.get(file)?.[kind] ?? 0), 0)
const script = first.filter((file) => file.endsWith('.js'))
const total = sum(first, 'brotli')
const js = sum(script, 'gzip')

const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`
console.log(`first load ${kb(total)} compressed (at most ${kb(FIRST_LOAD_BYTES_MAX)})`)
console.log(`JavaScript ${kb(js)} gzip before lazy parts (at most ${kb(JS_GZIP_BYTES_MAX)})`)
const over = total > FIRST_LOAD_BYTES_MAX || js > JS_GZIP_BYTES_MAX
if (over) {
  for (const file of first) console.error(`  ${file}: ${kb(sizes.get(file)?.brotli ?? 0)}`)
  console.error('over budget')
}
process.exit(over ? 1 : 0)
