/**
 * A self-signed certificate of today, so that tests of TLS need neither a key in the tree nor a program of the system
 * (RFC 5280 §4.1, in the distinguished encoding of X.690).
 */
import { generateKeyPairSync, sign } from "node:crypto"

export interface Certificate {
  /** PEM. */
  readonly key: string
  readonly cert: string
}

const tag = { boolean: 1, integer: 2, bits: 3, octets: 4, oid: 6, utf8: 12, utcTime: 23, sequence: 0x30, set: 0x31 }

/** Type, length and value; a length above 127 takes one further octet or two, as few as can be. */
const element = (type: number, ...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const value = Buffer.concat(parts)
  const { length } = value
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([type, ...size]), value])
}

const sequence = (...parts: ReadonlyArray<Uint8Array>): Buffer => element(tag.sequence, ...parts)
const oid = (...octets: ReadonlyArray<number>): Buffer => element(tag.oid, Buffer.from(octets))

const ecdsaWithSha256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))
const commonName = oid(0x55, 0x04, 0x03)
const alternativeNames = oid(0x55, 0x1d, 0x11)
const basicConstraints = oid(0x55, 0x1d, 0x13)
const yes = element(tag.boolean, Buffer.from([0xff]))

const time = (at: Date): Buffer =>
  element(tag.utcTime, Buffer.from(`${at.toISOString().slice(2, 19).replaceAll(/[-T:]/g, "")}Z`))

const name = (text: string): Buffer =>
  sequence(element(tag.set, sequence(commonName, element(tag.utf8, Buffer.from(text)))))

const alternativeName = (text: string): Buffer =>
  /^[\d.]+$/.test(text)
    ? element(0x87, Buffer.from(text.split(".").map(Number)))
    : element(0x82, Buffer.from(text))

/** A certificate for these names and IPv4 addresses, which may also stand as its own authority. */
export const make = (first: string, ...others: ReadonlyArray<string>): Certificate => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" })
  const day = 86_400_000
  const now = Date.now()
  const names = sequence(...[first, ...others].map(alternativeName))
  const extensions = sequence(
    sequence(alternativeNames, element(tag.octets, names)),
    sequence(basicConstraints, yes, element(tag.octets, sequence(yes)))
  )
  const body = sequence(
    element(0xa0, element(tag.integer, Buffer.from([2]))),
    element(tag.integer, Buffer.from([1])),
    ecdsaWithSha256,
    name(first),
    sequence(time(new Date(now - day)), time(new Date(now + day))),
    name(first),
    publicKey.export({ type: "spki", format: "der" }),
    element(0xa3, extensions)
  )
  const signature = element(tag.bits, Buffer.from([0]), sign("sha256", body, privateKey))
  const lines = sequence(body, ecdsaWithSha256, signature).toString("base64").match(/.{1,64}/g)!
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    cert: ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n")
  }
}
