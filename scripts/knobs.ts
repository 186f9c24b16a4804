/**
 * The page `docs/tcp-knobs.md`, made from the table of TCP's knobs in the core and from their defaults.
 */
import { type Config, defaults } from "../src/core/tcp/Config.ts"
import { describe, type Knob, names, type Place, table } from "../src/core/tcp/Knobs.ts"

const sizeOf = (bytes: number): string => {
  if (bytes >= 1024 * 1024 && bytes % (1024 * 1024) === 0) return `${bytes / (1024 * 1024)} MiB`
  return bytes >= 1024 && bytes % 1024 === 0 ? `${bytes / 1024} KiB` : String(bytes)
}

const millisOf = (micros: number): string =>
  micros >= 1_000_000 && micros % 1_000_000 === 0 ? `${micros / 1_000_000} s` : `${micros / 1000} ms`

const defaultOf = (name: keyof Config): string => {
  const value: unknown = defaults[name]
  const { values } = table[name]
  if (value === undefined) return "absent"
  if (value === Infinity) return "none"
  if (typeof value === "boolean") return value ? "on" : "off"
  if (typeof value === "string") return `\`${value}\``
  if (values.kind === "time") return millisOf(value as number)
  return values.kind === "number" && values.unit === "bytes" ? sizeOf(value as number) : String(value)
}

const places: Readonly<Record<Place, string>> = {
  stack: "stack",
  opening: "stack; connect, listen",
  always: "stack; connect, listen, `setOptions`"
}

const rowOf = (name: keyof Config): string => {
  const { place, source, values, what }: Knob = table[name]
  return `| \`${name}\` | ${what} | ${defaultOf(name)} | ${describe(values)} | ${places[place]} | ${source} |`
}

export const page = `# TCP's knobs

All that can be set about TCP, for a stack or for one socket. The table is code, [\`core/tcp/Knobs.ts\`](../src/core/tcp/Knobs.ts), with the defaults of
[\`core/tcp/Config.ts\`](../src/core/tcp/Config.ts); a value out of its range fails the request, or the start of the stack, by the name of the knob. This page is
made from it by \`npm run docs\`.

- For a stack: \`Netstack.layer({ tcp: { minRto: "100 millis" } })\`.
- For a connection or a listener: \`Tcp.connect(to, { options: { noDelay: true } })\`, \`Tcp.listen({ port: 80, options: { … } })\`; the connections of a listener have its knobs.
- While a connection lives: \`connection.setOptions({ keepAlive: true })\`, for those that say so. What both ends have agreed on is fixed when a connection opens.
- From a configuration: \`Netstack.layerConfig({ tcp: TcpKnobs.config("tcp") })\` reads them all by their names, checked and typed; under
  \`ConfigProvider.constantCase(ConfigProvider.fromEnv())\` they are \`TCP_MIN_RTO="100 millis"\`, \`TCP_CONGESTION_CONTROL=bbr\` and so on.

Times are Effect's durations in programs (\`"100 millis"\`, \`Duration.seconds(3)\`), and spans of microseconds in the core.

| knob | what it does | default | values | where | source |
| --- | --- | --- | --- | --- | --- |
${names.map(rowOf).join("\n")}
`
