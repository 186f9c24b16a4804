/**
 * Keeps links to lines of code on their lines: in a document, the text of such a link names a member, and the link leads to
 * where that member is defined.
 */

/** A link to a line, with a name in code style as its text: `[`Listen.arrives`](../src/….ts#L22)`. */
const anchor = /\[`([^`\]]+)`\]\(([^)#\s]+\.ts)#L\d+\)/g

/** Definitions, the best first: of a module's member, of what is inside one with its body, and what only names its type. */
const definitionsOf = (name: string): ReadonlyArray<RegExp> => [
  new RegExp(`^(export )?(const|function|class|interface|type) ${name}\\b`),
  new RegExp(`^\\s+((const|readonly|private|get) )*${name}(\\(.*\\{$|: .*\\{$|(: .*)? =( |$))`),
  new RegExp(`^\\s+((readonly|private|get) )*${name}(\\(|: )`)
]

/** The number of the line on which the member is defined, or `undefined`. */
export const lineOf = (source: string, member: string): number | undefined => {
  const lines = source.split("\n")
  for (const definition of definitionsOf(member.split(".").at(-1)!.replace(/\(.*/, ""))) {
    const index = lines.findIndex((line) => definition.test(line))
    if (index >= 0) return index + 1
  }
  return undefined
}

/** The document with each link on the line of its definition; `read` gives a file by the path in the link. One that is not found leads to line 0. */
export const refresh = (text: string, read: (path: string) => string): string =>
  text.replaceAll(
    anchor,
    (_, member: string, path: string) => `[\`${member}\`](${path}#L${lineOf(read(path), member) ?? 0})`
  )
