/**
 * Moves the bytes of `Pattern.ts` through a connection from the kernel's side, and tells how far it is while it goes.
 *
 *     transfer.ts download|upload ADDRESS PORT BYTES
 *
 * It speaks HTTP: `GET /BYTES` or `PUT /`. At each sixteenth it prints `at N`, and after the twelfth it waits for a line on
 * its input, so that what a test does to the wire until then surely happens in mid-transfer. At the end it prints
 * `{ "bytes": N, "sha256": H }`, of what came for a download, of what the far side says that it got for an upload.
 */
/* oxlint-disable no-await-in-loop -- Each part waits for the one before it. */
import { createHash } from "node:crypto"
import { once } from "node:events"
import { type IncomingMessage, request } from "node:http"
import { createInterface } from "node:readline"
import * as Pattern from "../Pattern.ts"

const [mode, address, port, size] = process.argv.slice(2)
const total = Number(size)
const steps = 16
const gate = 12

const input = createInterface({ input: process.stdin })
const allowed = once(input, "line")

/** Tells each sixteenth that has been passed since the last call, and waits at the gate. */
let told = 0
const progress = async (bytes: number): Promise<void> => {
  while (told < steps && bytes >= (told + 1) / steps * total) {
    told += 1
    process.stdout.write(`at ${told}\n`)
    if (told === gate) await allowed
  }
}

const options = { host: address!, port: Number(port) }

const receive = async (response: IncomingMessage, each: (bytes: number) => Promise<void>) => {
  const hash = createHash("sha256")
  const texts: Array<string> = []
  let bytes = 0
  for await (const part of response as AsyncIterable<Uint8Array>) {
    hash.update(part)
    bytes += part.length
    if (bytes < 1024) texts.push(Buffer.from(part).toString("latin1"))
    await each(bytes)
  }
  return { bytes, sha256: hash.digest("hex"), text: texts.join("") }
}

const download = async () => {
  const asked = request({ ...options, path: `/${total}` }).end()
  const [response] = await once(asked, "response") as [IncomingMessage]
  const { bytes, sha256 } = await receive(response, progress)
  return { bytes, sha256 }
}

const upload = async () => {
  const asked = request({ ...options, path: "/", method: "PUT", headers: { "content-length": total } })
  const answered = once(asked, "response") as Promise<[IncomingMessage]>
  let bytes = 0
  for (const part of Pattern.parts(total)) {
    if (!asked.write(part)) await once(asked, "drain")
    bytes += part.length
    await progress(bytes)
  }
  asked.end()
  const [response] = await answered
  const { text } = await receive(response, async () => {})
  return { bytes, sha256: text.trim() }
}

const result = await (mode === "download" ? download() : upload())
input.close()
process.stdout.write(`${JSON.stringify(result)}\n`)
