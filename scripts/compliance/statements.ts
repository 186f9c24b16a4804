/**
 * What other RFCs ask of TCP, section by section: the normative statements that a host can meet or miss, each in a few words.
 */
export interface Statement {
  readonly section: string
  readonly level: string
  readonly text: string
}

const of = (section: string, level: string, text: string): Statement => ({ section, level, text })

export const statements: ReadonlyArray<readonly [rfc: string, title: string, statements: ReadonlyArray<Statement>]> = [
  ["5961", "Blind in-window attacks", [
    of(
      "3.2",
      "MUST",
      "A RST ends a connection only at exactly the next expected number; elsewhere in the window it is challenged"
    ),
    of("4.2", "MUST", "A SYN in a synchronised state is challenged, whatever its number is"),
    of(
      "5.2",
      "MUST",
      "An ACK is acceptable only within the largest window below what was sent; else text with it is not taken"
    ),
    of("7", "SHOULD", "Challenge ACKs are limited in number, and the limit can be set")
  ]],
  ["6298", "Retransmission timer", [
    of("2.1", "SHOULD", "One second before the first measurement"),
    of("2.2", "MUST", "The first measurement is SRTT, half of it RTTVAR"),
    of("2.3", "MUST", "Further ones by an eighth and a quarter, the variation first"),
    of("2.4", "SHOULD", "Not below one second"),
    of("2.5", "MAY", "An upper limit of at least 60 seconds"),
    of("3", "MUST", "No measurement of a segment that was sent twice, unless timestamps tell which it was"),
    of("5.1", "RECOMMENDED", "Sending text starts the timer if it does not run"),
    of("5.2", "RECOMMENDED", "It stops when all is acknowledged"),
    of("5.3", "RECOMMENDED", "An ACK of new text starts it anew"),
    of("5.4", "RECOMMENDED", "When it expires, the earliest segment goes again"),
    of("5.5", "MUST", "and the timeout doubles"),
    of("5.6", "RECOMMENDED", "and the timer starts anew"),
    of("5.7", "MUST", "After a handshake that timed out, text begins with a timeout of three seconds")
  ]],
  ["6675", "Loss recovery with SACK", [
    of("2", "definition", "Terms: HighACK, HighData, HighRxt, RescueRxt, Pipe, DupAcks"),
    of("3", "MUST", "A scoreboard of what was reported"),
    of("4", "definition", "Update, IsLost, SetPipe and NextSeg"),
    of(
      "5",
      "MUST",
      "Recovery begins with the third duplicate or IsLost, lasts to RecoveryPoint, sends by the pipe and the window"
    ),
    of("5.1", "SHOULD", "After a timeout what was reported is kept, and no second recovery begins for the same window")
  ]],
  ["7323", "Window scale and timestamps", [
    of("1.3", "MUST", "Both options only where both SYNs have them"),
    of("2.2", "MUST", "The scale only in SYNs, whose own windows are never scaled"),
    of("2.3", "MUST", "Windows shifted by what each side has said, at most by 14"),
    of("2.4", "MUST", "A window that scaling would shrink is borne"),
    of("3.2", "MUST", "Timestamps in every segment once agreed on, except that a RST may lack them"),
    of("4.1", "SHOULD", "Round trips are measured by echoes of new ACKs"),
    of("4.3", "MUST", "What is echoed belongs to the earliest segment that is not acknowledged"),
    of("5.2", "MUST", "Timestamps are compared as sequence numbers are"),
    of("5.3", "MUST", "A segment with an older timestamp is dropped and acknowledged, except a RST"),
    of("5.4", "MUST", "The clock ticks between once a millisecond and once a second"),
    of("5.5", "MAY", "After 24 days of silence the remembered timestamp is void")
  ]],
  ["8985", "RACK-TLP", [
    of("5.2", "definition", "State of each segment: when it was sent, whether it was sent again, whether it is lost"),
    of(
      "5.3",
      "definition",
      "State of each connection: what was delivered last, the round trips, the reordering window"
    ),
    of("6.1", "MUST", "Each transmission is stamped"),
    of(
      "6.2",
      "MUST",
      "On an ACK: measure, find what was delivered last, detect reordering, set the window, mark what is overdue"
    ),
    of("6.3", "MUST", "On a timeout: what is overdue, or all, is lost"),
    of("7.1", "MUST", "A probe needs SACK, and begins without one outstanding"),
    of("7.2", "SHOULD", "A probe two round trips after the last transmission, not after the timeout"),
    of("7.3", "MUST", "One probe at a time: new text if there is some, else the last segment"),
    of("7.4", "MUST", "A probe that repaired a loss has the window cut")
  ]],
  ["9438", "CUBIC", [
    of("4.1", "definition", "Constants and variables: beta, C, W_max, K, cwnd_epoch"),
    of("4.2", "MUST", "The window grows by the cubic function of the time since the last loss"),
    of("4.3", "SHOULD", "and not slower than Reno's would"),
    of("4.4", "MUST", "Below W_max it is concave"),
    of("4.5", "MUST", "Above W_max it is convex"),
    of("4.6", "MUST", "A loss leaves seven tenths"),
    of("4.7", "SHOULD", "Two losses below the last W_max lower it further"),
    of("4.8", "MUST", "A timeout is Reno's, with beta of CUBIC"),
    of("4.9", "SHOULD", "What was for nothing is taken back"),
    of("4.10", "MUST", "Slow start below ssthresh")
  ]],
  ["5681", "Congestion control", [
    of(
      "3.1",
      "MUST",
      "Initial window, slow start, congestion avoidance, ssthresh at half of the flight, one segment after a timeout"
    ),
    of("3.2", "SHOULD", "Fast retransmit with the third duplicate, limited transmit before it, fast recovery after it"),
    of("4.1", "SHOULD", "Restart from the initial window after an idle timeout"),
    of("4.2", "SHOULD", "ACKs are delayed less than half a second and for one full segment; gaps are answered at once"),
    of("4.3", "SHOULD", "A recovery that can bear several losses in a window")
  ]]
]
