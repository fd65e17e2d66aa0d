/** A host of the page that is no relay: a plain file server, over http or https. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import * as https from 'node:https'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { files } from '../../www/test/serve.mjs'

const dist = fileURLToPath(new URL('../../www/dist', import.meta.url))

/** The policy that the build put into the page (www/vite.config.ts). */
function policy() {
  const page = readFileSync(join(dist, 'index.html'), 'utf8')
  const found = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(page)
  if (!found) throw new Error('the page has no policy')
  return found[1].replaceAll('&#39;', "'").replaceAll('&#x27;', "'")
}

/** Serves the built page; `tls` (key and cert) over https; `hint`: of a relay that it names. */
export async function serve({ port = 0, tls, hint } = {}) {
  const serveFile = files(dist, policy())
  const answer = (request, response) => {
    if (hint && request.url === '/relay') response.end(JSON.stringify({ hint }))
    else serveFile(request, response)
  }
  const server = tls ? https.createServer(tls, answer) : http.createServer(answer)
  await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    url: `${tls ? 'https' : 'http'}://localhost:${server.address().port}/`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** A certificate that nobody but itself has signed, and its key (X.509 version 1, RFC 5280). */
export function ownCertificate() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = (tag, ...parts) => {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
    const { length } = body
    const size = length < 128 ? [] : length < 256 ? [0x81] : [0x82, length >> 8]
    return Buffer.concat([Buffer.from([tag, ...size, length & 255]), body])
  }
  const [sequence, set, oid] = [0x30, 0x31, 0x06]
  const ecdsaWithSha256 = der(sequence, der(oid, [42, 134, 72, 206, 61, 4, 3, 2]))
  const commonName = der(sequence, der(oid, [85, 4, 3]), der(0x0c, 'localhost'))
  const name = der(sequence, der(set, commonName))
  const day = (ms) => new Date(ms).toISOString().slice(2, 10).replaceAll('-', '') + '000000Z'
  const days = [Date.now() - 864e5, Date.now() + 864e5].map((ms) => der(0x17, day(ms)))
  const key = publicKey.export({ type: 'spki', format: 'der' })
  const dates = der(sequence, ...days)
  const signed = der(sequence, der(0x02, [1]), ecdsaWithSha256, name, dates, name, key)
  const signature = der(0x03, [0], sign('sha256', signed, privateKey))
  const cert = der(sequence, signed, ecdsaWithSha256, signature).toString('base64')
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: `-----BEGIN CERTIFICATE-----\n${cert}\n-----END CERTIFICATE-----\n`,
  }
}

/** This machine's own address, where it has one besides loopback. */
export function ownAddress() {
  const all = Object.values(networkInterfaces()).flat()
  return all.find((one) => !one.internal && one.family === 'IPv4')?.address ?? null
}
