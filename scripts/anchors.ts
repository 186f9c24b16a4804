/**
 * Keeps links to lines of code on their lines: in a document, the text of such a link names a member, and the link leads to
 * where that member is defined.
 */

/** A link to a line, with a name in code style as its text: `[`Listen.arrives`](../src/….ts#L22)`. */
const anchor = /\[`([^`\]]+)`\]\(([^)#\s]+\.ts)#L\d+\)/g

/** A definition: of a module's member, or of a class's. */
const definitionOf = (name: string): RegExp =>
  new RegExp(
    `^(export )?(const|function|class|interface|type) ${name}\\b|^\\s+((readonly|private|get) )*${name}(\\(|: | = )`
  )

/** The number of the line on which the member is defined, or `undefined`. */
export const lineOf = (source: string, member: string): number | undefined => {
  const definition = definitionOf(member.split(".").at(-1)!.replace(/\(.*/, ""))
  const index = source.split("\n").findIndex((line) => definition.test(line))
  return index < 0 ? undefined : index + 1
}

/** The document with each link on the line of its definition; `read` gives a file by the path in the link. One that is not found leads to line 0. */
export const refresh = (text: string, read: (path: string) => string): string =>
  text.replaceAll(
    anchor,
    (_, member: string, path: string) => `[\`${member}\`](${path}#L${lineOf(read(path), member) ?? 0})`
  )
