/** Which knobs belong to a whole host and none of its sockets. */

/** Settings of the whole host, which can't change any more when it runs. */
export const ofHost: ReadonlySet<string> = new Set([
  "firstEphemeralPort",
  "lastEphemeralPort",
  "granularity",
  "reordering",
  "rack",
  "tailLossProbe",
  "frto",
  "undo",
  "windowRules",
  "synCookies",
  "challengeInterval",
  "answersUnsentAcks",
  "answersWhenFull",
  "bearsMissingTimestamps",
  "blackHole",
  "cookiesKeepOptions",
  "measuresSynAck",
  "nagle",
  "otherSyn",
  "probesWithText",
  "reportsFins",
  "resetsUnanswered",
  "resetsUnread",
  "softErrorsEndConnects",
  "takesSynFin",
  "timeWaitBearsResets",
  "timeWaitNeedsAck"
])
