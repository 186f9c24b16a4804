import { assert, it } from "@effect/vitest"
import * as Time from "/work/main/src/core/Time.ts"
import { Network, random } from "/work/main/test/core/tcp/Network.ts"
import { pair, pattern, connectRequest, drain } from "/work/main/test/core/tcp/Pair.ts"
const run = (seed: number) => {
  const draw = random(seed)
  const hosts = pair()
  const max = Number(process.env.MAXF ?? 0.3)
  const sack = process.env.SACK !== "0"
  const net = new Network([hosts.client, hosts.server], { loss: draw()*max, duplication: draw()*max, reordering: draw()*max, corruption: draw()*max*0.5, delay: Time.millis(1 + draw()*100) }, seed)
  const asked = hosts.client.request(connectRequest({synRetries: 20, sack}))
  const acc = hosts.server.request({_tag:"TcpAccept", listener: hosts.listener, block: true})
  const start = net.now
  for (let i=0; i<100000 && (asked.outcome()._tag==="Pending"||acc.outcome()._tag==="Pending"); i++) net.step(Time.never)
  const a = asked.outcome(), b = acc.outcome()
  assert.strictEqual(a._tag, "Done", JSON.stringify(a)); assert.strictEqual(b._tag, "Done")
  const c = (a as any).value.connection, s = (b as any).value.connection
  const size = Math.floor(draw() * 300_000)
  const data = pattern(size)
  const w = hosts.client.request({_tag:"TcpWrite", connection: c, bytes: data, start:0, end:size, owned:false, block:true})
  const shut = () => hosts.client.call({_tag:"TcpShutdown", connection:c, read:false, write:true})
  let closed = false
  let got: Array<Uint8Array> = []; let total=0
  let end = false
  let steps = 0
  while (!end) {
    if (!closed && w.outcome()._tag === "Done") { shut(); closed = true }
    if (!net.step(Time.never)) throw new Error("stuck " + total + "/" + size)
    if (++steps > 20000) throw new Error("too long " + total + "/" + size+ " t="+net.now/1e6+ JSON.stringify(hosts.client.call({_tag:"TcpGetInfo",connection:c})))
    const d = drain(hosts.server, s)
    got.push(d.bytes); total += d.bytes.length; end = d.end
  }
  assert.deepStrictEqual(Buffer.concat(got), Buffer.from(data))
  const t = Time.between(start, net.now)/1e6
  hosts.server.call({_tag:"TcpClose", connection:s}); hosts.client.call({_tag:"TcpClose", connection:c})
  net.advance(Time.seconds(2000))
  assert.strictEqual(hosts.client.memory(),0); assert.strictEqual(hosts.server.memory(),0)
  assert.strictEqual(hosts.client.state.tcp.entries.size,0, "client entries"); assert.strictEqual(hosts.server.state.tcp.entries.size,0,"server")
  assert.strictEqual(hosts.client.counter("defects"),0)
  assert.strictEqual(hosts.server.counter("defects"),0)
  return {t, size}
}
it("prop", () => {
  const n = Number(process.env.N ?? 50), from = Number(process.env.FROM ?? 1)
  let tt=0, ss=0
  for (let seed = from; seed < from+n; seed++) { try { const r = run(seed); tt+=r.t; ss+=r.size } catch (e) { console.log("seed", seed); throw e } }
  console.log("goodput", ss/tt, "B/s")
}, 600000)
