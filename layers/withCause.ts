/**
 * Errors of Effect's services tell what came of a call, and leave why to their causes; most of what prints errors shows messages alone. So the cause's
 * message stands behind the error's own: `Open: listen [::]:80: address in use`.
 */
export const withCause = <E extends Error>(error: E): E => {
  const { cause, message } = error
  if (!(cause instanceof Error) || cause.message === "") return error
  const value = message === "" ? cause.message : `${message}: ${cause.message}`
  return Object.defineProperty(error, "message", { value, configurable: true, writable: true })
}
