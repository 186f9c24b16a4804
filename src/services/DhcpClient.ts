/**
 * A DHCPv4 client for one interface (RFC 2131): it gets an address with all that belongs to it, keeps it, and gives it back when its scope closes.
 *
 * ```
 *   UDP port 68 ──┐                                             ┌─▶ Send: UDP
 *   the clock ────┼─▶ inputs ─▶ DhcpMachine (one at a time) ────┼─▶ Configure: the address, probed (RFC 5227)
 *   the stack's ──┘                                             ├─▶ Use: routes, MTU, the lease for all to see
 *   news: link up, address taken                                └─▶ Withdraw: all of it
 * ```
 *
 * It needs sockets only, as any other program: the core holds the address with the end of its lease, and takes it away by itself if nobody renews it.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as NetAddress from "effect/net/NetAddress"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Tracer from "effect/Tracer"
import * as Failure from "../sockets/Failure.ts"
import type { Netstack } from "../sockets/Netstack.ts"
import * as Network from "../sockets/Network.ts"
import * as Udp from "../sockets/Udp.ts"
import * as Address from "../wire/Address.ts"
import * as Dhcpv4 from "../wire/Dhcpv4.ts"
import * as Mac from "../wire/Mac.ts"
import * as Malformed from "../wire/Malformed.ts"
import type * as DhcpGrant from "./DhcpGrant.ts"
import * as DhcpLease from "./DhcpLease.ts"
import * as DhcpMachine from "./DhcpMachine.ts"
import * as DhcpMessages from "./DhcpMessages.ts"

export interface Options {
  /** The interface, which must have a link-layer address. */
  readonly link: Network.LinkId
  /** A number from 0 to 1 that others can't foresee. */
  readonly draw: () => number
  /** What the server knows this host by; made from the link-layer address if absent (RFC 4361). */
  readonly clientIdentifier?: Uint8Array
  /** The name that the server may enter into its DNS. */
  readonly hostName?: string
  /** Looks for another host with the address before it is used (rfc: 2131 §4.4.1 SHOULD), which takes five to eight seconds; on if absent. */
  readonly probe?: boolean
  /** Gives the address back in the end; on if absent. */
  readonly release?: boolean
  /** A lease of an earlier run, whose address is asked for first (INIT-REBOOT). */
  readonly previous?: Network.Lease
  /** How long the end waits until the release has left. */
  readonly closeTimeout: Duration.Input
}

export interface DhcpClient {
  /** Waits for the first lease, whose address may be used then. */
  readonly acquired: Effect.Effect<Network.Lease>
  /** Where the client stands, for display. */
  readonly state: Effect.Effect<DhcpMachine.State["_tag"]>
}

type Input = DhcpMachine.Input

/** Inputs that may wait; further ones wait where they come from, and datagrams there within the socket's bound. */
const inputCapacity = 16
/** Longer sleeps are cut, which changes nothing: an alarm that comes too early is ignored. */
const longestSleepSeconds = 3600
/** How often the end looks whether the release has left. */
const releasePoll = Duration.millis(5)

/** The parts of one client that its effects share. */
class Client {
  readonly options: Options
  readonly socket: Udp.UdpSocket
  readonly clock: Clock.Clock
  readonly inputs: Queue.Queue<Input>
  readonly first: Deferred.Deferred<Network.Lease> = Deferred.makeUnsafe()
  machine: DhcpMachine.Machine
  /** The interface's MTU before a lease has changed it. */
  private mtu: number | undefined
  private routes: ReadonlyArray<Network.RouteInput> = []
  private verification: Fiber.Fiber<unknown> | undefined
  /** Of the exchange that goes on. */
  private span: Tracer.Span | undefined

  constructor(
    options: Options,
    parts: Pick<Client, "socket" | "clock" | "inputs" | "machine">
  ) {
    this.options = options
    this.socket = parts.socket
    this.clock = parts.clock
    this.inputs = parts.inputs
    this.machine = parts.machine
  }

  /** How it begins: with what an earlier run had, if it had something. */
  get begin(): Input {
    const { previous } = this.options
    return { _tag: "Start", ...(previous === undefined ? {} : DhcpLease.remembered(previous, this.asOf)) }
  }

  /** Seconds of the clock that never goes back. */
  get now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e9
  }

  private get asOf(): DhcpLease.AsOf {
    return { link: this.options.link, seconds: this.now, wallMillis: this.clock.currentTimeMillisUnsafe() }
  }

  /** One input to the machine, and what it wants done. */
  take(input: Input): Effect.Effect<void, never, Netstack | Scope.Scope> {
    return Effect.suspend(() => {
      const before = this.machine.state
      const [machine, actions] = DhcpMachine.step(this.machine, input, { at: this.now, draw: this.options.draw })
      this.machine = machine
      const told = before._tag === machine.state._tag ? Effect.void : this.tell(machine)
      return Effect.andThen(told, Effect.forEach(actions, (action) => this.perform(action), { discard: true }))
    })
  }

  /** Every exchange, from the first message to the lease, is a span; its states are the span's events. */
  private tell({ held, state }: DhcpMachine.Machine): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      const isOver = state._tag === "Bound" || state._tag === "Stopped"
      const at = this.clock.currentTimeNanosUnsafe()
      yield* Effect.logDebug(`dhcp on interface ${this.options.link}: ${state._tag}`)
      if (this.span === undefined && !isOver) {
        const attributes = { "network.interface.id": this.options.link }
        this.span = yield* Effect.makeSpan("Dhcp.lease", { root: this.isAcquired, kind: "client", attributes })
      }
      this.span?.event(state._tag, at)
      if (!isOver || this.span === undefined) return
      if (held !== undefined) {
        this.span.attribute("dhcp.address", Address.format(held.grant.address))
        this.span.attribute("dhcp.server", Address.format(held.grant.server))
        this.span.attribute("dhcp.lease.seconds", held.grant.seconds)
      }
      this.span.end(at, Exit.void)
      this.span = undefined
    })
  }

  /** The first exchange belongs to whoever starts the stack; the later ones belong to nobody. */
  private get isAcquired(): boolean {
    return Deferred.isDoneUnsafe(this.first)
  }

  private perform(action: DhcpMachine.Action): Effect.Effect<void, never, Netstack | Scope.Scope> {
    switch (action._tag) {
      case "Send":
        return this.send(action.message, action.to)
      case "Configure":
        return this.configure(action.lease)
      case "Use":
        return this.use(action.lease)
      case "Withdraw":
        return this.withdraw(action.lease)
    }
  }

  /** What can't be sent is as good as lost: it is sent again. */
  private send(message: Dhcpv4.Message, to: Address.Ipv4): Effect.Effect<void> {
    const bytes = new Uint8Array(Dhcpv4.size(message))
    Dhcpv4.emit(message, bytes, 0)
    const sent = this.socket.send(bytes, NetAddress.inetAddressUnsafe(Address.toNet(to), Dhcpv4.serverPort))
    return Effect.catch(sent, (error) => Effect.logDebug(`dhcp: ${error.message}`))
  }

  private assign(lease: DhcpGrant.Lease, probe: boolean) {
    const { expiresAt, grant } = lease
    const validFor = expiresAt === Infinity ? undefined : Duration.seconds(Math.max(0, expiresAt - this.now))
    return Network.addAddress(this.options.link, DhcpLease.interfaceOf(grant), { origin: "dhcp", validFor, probe })
  }

  /** The address is tentative until nobody has answered for it; who refuses it is as good as another host that has it. */
  private configure(lease: DhcpGrant.Lease): Effect.Effect<void, never, Netstack | Scope.Scope> {
    const { link, probe = true } = this.options
    const verified = Effect.andThen(
      this.assign(lease, probe),
      Network.awaitAddress(link, DhcpLease.interfaceOf(lease.grant).address)
    )
    const told = Effect.matchEffect(verified, {
      onSuccess: () => Queue.offer(this.inputs, { _tag: "Verified" }),
      onFailure: (error) =>
        Effect.andThen(
          Effect.logWarning(`dhcp: ${Address.format(lease.grant.address)} can't be used: ${error.message}`),
          Queue.offer(this.inputs, { _tag: "Conflict" })
        )
    })
    return Effect.map(Effect.forkScoped(told), (fiber) => {
      this.verification = fiber
    })
  }

  private use(lease: DhcpGrant.Lease): Effect.Effect<void, never, Netstack> {
    return Effect.gen({ self: this }, function*() {
      const { link } = this.options
      yield* Effect.ignore(this.assign(lease, false))
      yield* this.setRoutes(DhcpLease.routesOf(lease.grant, link))
      yield* this.setMtu(lease.grant.mtu)
      const granted = DhcpLease.of(lease, this.asOf)
      yield* Network.setLease(link, granted)
      yield* Deferred.succeed(this.first, granted)
    })
  }

  /** Routes that were there before stay as they are, so that no packet finds none. */
  private setRoutes(wanted: ReadonlyArray<Network.RouteInput>): Effect.Effect<void, never, Netstack> {
    return Effect.gen({ self: this }, function*() {
      const isIn = (list: ReadonlyArray<Network.RouteInput>, route: Network.RouteInput) =>
        list.some(({ gateway, to }) => String(to) === String(route.to) && String(gateway) === String(route.gateway))
      for (const route of this.routes) {
        if (!isIn(wanted, route)) yield* Effect.ignore(Network.removeRoute(route))
      }
      for (const route of wanted) {
        const added = Network.addRoute(route)
        yield* Effect.catch(added, (error) => Effect.logWarning(`dhcp: the route to ${route.to}: ${error.message}`))
      }
      this.routes = wanted
    })
  }

  private setMtu(wanted: number | undefined): Effect.Effect<void, never, Netstack> {
    return Effect.gen({ self: this }, function*() {
      const { link } = this.options
      if (wanted === undefined && this.mtu === undefined) return
      this.mtu ??= (yield* Network.interfaces).find((self) => self.link === link)?.mtu
      yield* Effect.ignore(Network.setMtu(link, wanted ?? this.mtu ?? wanted!))
      if (wanted === undefined) this.mtu = undefined
    })
  }

  private withdraw(lease: DhcpGrant.Lease): Effect.Effect<void, never, Netstack> {
    return Effect.gen({ self: this }, function*() {
      const { link } = this.options
      if (this.verification !== undefined) yield* Fiber.interrupt(this.verification)
      this.verification = undefined
      yield* Network.setLease(link, undefined)
      yield* this.setRoutes([])
      yield* this.setMtu(undefined)
      // The core has taken it away already if its time is over.
      yield* Effect.ignore(Network.removeAddress(link, DhcpLease.interfaceOf(lease.grant).address))
    })
  }

  /** The time until the machine's alarm, as something to wait for. */
  private get next(): Effect.Effect<Input> {
    return Effect.suspend(() => {
      const seconds = Math.max(0, Math.min(longestSleepSeconds, DhcpMachine.deadline(this.machine) - this.now))
      // Whole milliseconds, as clocks count them: one that woke a little too early would do so for ever.
      return Effect.map(
        Effect.timeoutOption(Queue.take(this.inputs), Duration.millis(Math.ceil(seconds * 1000))),
        Option.getOrElse((): Input => ({ _tag: "Alarm" }))
      )
    })
  }

  readonly drive: Effect.Effect<never, never, Netstack | Scope.Scope> = Effect.forever(
    Effect.flatMap(Effect.suspend(() => this.next), (input) => this.take(input)),
    { disableYield: true }
  )

  /** Tells the server, in so far as there is time. */
  readonly stop: Effect.Effect<void, never, Netstack | Scope.Scope> = Effect.suspend(() => {
    const [machine, actions] = DhcpMachine.step(
      this.machine,
      { _tag: "Stop", release: this.options.release ?? true },
      { at: this.now, draw: this.options.draw }
    )
    this.machine = machine
    return Effect.gen({ self: this }, function*() {
      for (const action of actions) {
        yield* this.perform(action)
        if (action._tag === "Send") yield* this.awaitSent
      }
      yield* this.tell(machine)
    })
  })

  /** Only what has left reaches the server: afterwards the address, and soon the stack, are gone. */
  private get awaitSent(): Effect.Effect<void> {
    const left = Effect.map(this.socket.info, ({ bytesUnsent }) => bytesUnsent === 0)
    const all = Effect.repeat(left, { until: (isDone) => isDone, schedule: Schedule.spaced(releasePoll) })
    return Effect.ignore(Effect.timeoutOption(Effect.interruptible(all), this.options.closeTimeout))
  }
}

/** Errors that ICMP messages cause; the next datagram may come all the same. */
const isPassing = ({ reason }: Udp.UdpError): boolean =>
  reason._tag === "ConnectionRefused" || reason._tag === "Unreachable" || reason._tag === "MessageTooLarge"

/** Messages as they come; what is none is no input. */
const listen = ({ inputs, socket }: Client): Effect.Effect<void> =>
  socket.receive.pipe(
    Effect.flatMap(({ bytes }) => {
      const message = Dhcpv4.parse(bytes, 0, bytes.length)
      return Malformed.isMalformed(message) ? Effect.void : Queue.offer(inputs, { _tag: "Received", message })
    }),
    Effect.catchIf(isPassing, () => Effect.void),
    Effect.forever({ disableYield: true }),
    Effect.ignore
  )

/** What becomes of the link and of the address. */
const watch = (client: Client): Effect.Effect<void, never, Netstack> =>
  Stream.runForEach(Network.changes, (change): Effect.Effect<unknown> => {
    const { inputs, options: { link } } = client
    if (change._tag === "LinkState" && change.link === link && change.up) return Queue.offer(inputs, { _tag: "LinkUp" })
    const isTaken = change._tag === "AddressChanged" && change.link === link && change.state === "duplicated"
    const own = client.machine.held?.grant.address
    return isTaken && own !== undefined && Address.format(own) === String(change.address)
      ? Queue.offer(inputs, { _tag: "Conflict" })
      : Effect.void
  })

const invalid = (detail: string) =>
  new Network.NetworkError({ operation: "dhcp", reason: new Failure.InvalidArgument({ detail }) })

/** Who the interface is to servers. */
const identityOf = (options: Options, self: Network.NetworkInterface | undefined) => {
  if (self?.mac === undefined) return Effect.fail(invalid("the interface has no link-layer address"))
  const mac = Mac.fromNet(self.mac)
  return Effect.succeed<DhcpMessages.Identity>({
    mac,
    clientIdentifier: options.clientIdentifier ?? DhcpMessages.clientIdentifierOf(mac),
    hostName: options.hostName,
    // rfc: 2132 §9.10: at least 576
    maximumMessageSize: Math.max(576, self.mtu)
  })
}

/**
 * Starts a client that runs until the scope closes; then it gives the address back. Fails at once when the interface can't have one, or when
 * somebody else has port 68 on it.
 */
export const make = (
  options: Options
): Effect.Effect<DhcpClient, Network.NetworkError | Udp.UdpError, Netstack | Scope.Scope> =>
  Effect.gen(function*() {
    const own = (yield* Network.interfaces).find(({ link }) => link === options.link)
    const identity = yield* identityOf(options, own)
    const client = new Client(options, {
      socket: yield* Udp.bind({
        port: Dhcpv4.clientPort,
        family: "IPv4",
        link: options.link,
        options: { broadcast: true }
      }),
      clock: yield* Clock.Clock,
      inputs: yield* Queue.bounded<Input>(inputCapacity),
      machine: DhcpMachine.make(identity)
    })
    yield* Effect.forkScoped(listen(client), { startImmediately: true })
    yield* Effect.forkScoped(watch(client), { startImmediately: true })
    yield* client.take(client.begin)
    const driver = yield* Effect.forkScoped(client.drive)
    const context = yield* Effect.context<Netstack | Scope.Scope>()
    yield* Effect.addFinalizer(() =>
      Effect.andThen(Fiber.interrupt(driver), Effect.provideContext(client.stop, context))
    )
    return {
      acquired: Deferred.await(client.first),
      state: Effect.sync(() => client.machine.state._tag)
    }
  })
