/** The name that was probably meant by one that is misspelt: the fewest letters put in, left out, changed or exchanged with their neighbour. */

/** How many letters two names differ by. */
const distance = (a: string, b: string): number => {
  let before: ReadonlyArray<number> = []
  let row: ReadonlyArray<number> = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isExchanged = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1, isExchanged ? before[j - 2]! + 1 : Infinity))
    }
    before = row
    row = next
  }
  return row[b.length]!
}

/** The one of `names` that is most like `name`, if a third of its letters at most are wrong. */
export const nearest = (name: string, names: Iterable<string>): string | undefined => {
  let best: string | undefined
  let least = Math.floor(name.length / 3) + 1
  for (const each of names) {
    const far = distance(name, each)
    if (far >= least) continue
    least = far
    best = each
  }
  return best
}
