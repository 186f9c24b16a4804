/** Arguments of calls as the runner needs them: numbers, lengths, ports. */
import { constants, infoConstants } from "./constants.ts"
import { Unsupported } from "./Descriptor.ts"
import type { Expression } from "./Syntax.ts"

/** A number, a name of one, or several of them or'ed. */
export const numberOf = (expression: Expression | undefined): number => {
  switch (expression?._tag) {
    case "Number":
      return expression.value
    case "Name": {
      const value = constants[expression.name] ?? infoConstants[expression.name]
      if (value === undefined) throw new Unsupported(`the name ${expression.name}`)
      return value
    }
    case "Or":
      // Not |, which has 32 bits with a sign.
      return Number(expression.parts.reduce((all, part) => all | BigInt(numberOf(part)), 0n))
    case "Apply":
      return numberOf(expression.args[0])
    case "List":
      return numberOf(expression.items[0])
    default:
      throw new Unsupported("an argument that is no number")
  }
}

export const isEllipsis = (expression: Expression | undefined): boolean => expression?._tag === "Ellipsis"

/** A field of a record; `undefined` if it is not there, or not a record. */
export const fieldOf = (expression: Expression | undefined, name: string): Expression | undefined =>
  expression?._tag === "Record" ? expression.fields.find(([field]) => field === name)?.[1] : undefined

export const nameOf = (expression: Expression | undefined): string => expression?._tag === "Name" ? expression.name : ""

export const textOf = (expression: Expression | undefined): string =>
  expression?._tag === "Text" ? expression.value : ""

/** The port of an address such as `{sa_family = AF_INET, sin_port = htons(8080), …}`; `otherwise` for `...`. */
export const portOf = (expression: Expression | undefined, otherwise: number): number => {
  const port = fieldOf(expression, "sin_port") ?? fieldOf(expression, "sin6_port")
  const isOpen = port === undefined || isEllipsis(port) || (port._tag === "Apply" && isEllipsis(port.args[0]))
  return isOpen ? otherwise : numberOf(port)
}

/** The bytes that all parts of a scattered buffer `[{..., 1000}, …]` hold together. */
export const lengthOf = (vectors: Expression | undefined): number => {
  if (vectors?._tag !== "List") throw new Unsupported("a scattered buffer that is no list")
  return vectors.items.reduce((sum, item) => sum + numberOf(fieldOf(item, "iov_len") ?? fieldOf(item, "1")), 0)
}

/** The expressions in one, itself among them. */
export const within = (expression: Expression): ReadonlyArray<Expression> => {
  switch (expression._tag) {
    case "List":
      return [expression, ...expression.items.flatMap(within)]
    case "Or":
      return [expression, ...expression.parts.flatMap(within)]
    case "Record":
      return [expression, ...expression.fields.flatMap(([, value]) => within(value))]
    case "Apply":
      return [expression, ...expression.args.flatMap(within)]
    case "Ellipsis":
    case "Name":
    case "Number":
    case "Text":
      return [expression]
  }
}
