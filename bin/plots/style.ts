/**
 * Colours of pictures, by what they stand for: one set for paper that is light and one for paper that is dark, each with a contrast of at
 * least 3 to 1 and apart from each other for most who see few colours (after Okabe and Ito).
 */

const light = {
  paper: "#ffffff",
  ink: "#1f2328",
  faint: "#59636e",
  rule: "#d1d9e0",
  sent: "#0969da",
  again: "#b35900",
  lost: "#cf222e",
  acked: "#1a7f37",
  sacked: "#8250df",
  edge: "#6e7781",
  fourth: "#9a6700",
  fifth: "#bf3989"
}

const dark: typeof light = {
  paper: "#0d1117",
  ink: "#e6edf3",
  faint: "#9198a1",
  rule: "#30363d",
  sent: "#58a6ff",
  again: "#ffa657",
  lost: "#ff7b72",
  acked: "#56d364",
  sacked: "#d2a8ff",
  edge: "#8b949e",
  fourth: "#e3b341",
  fifth: "#ff9bce"
}

export type Colour = keyof typeof light

/** A colour where a picture needs one. */
export const colour = (name: Colour): string => `var(--${name})`

/** Colours of connections that share a picture. */
export const ofConnections: ReadonlyArray<Colour> = ["sent", "again", "acked", "sacked", "fourth", "fifth"]

const variables = (colours: typeof light): string =>
  Object.entries(colours).map(([name, value]) => `--${name}: ${value};`).join(" ")

/** The two sets for what a selector finds, by what the reader prefers. */
export const colours = (selector: string): string =>
  `${selector} { ${variables(light)} color-scheme: light dark; }
@media (prefers-color-scheme: dark) { ${selector} { ${variables(dark)} } }`
