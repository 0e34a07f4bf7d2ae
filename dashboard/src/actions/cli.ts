// The same as a command. What a shell would take for something else is quoted.

export function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** `vastflow runs stop order-7 --why 'not needed'` */
export function command(words: readonly string[], options: Record<string, string | readonly string[] | undefined> = {}): string {
  const given = Object.entries(options).flatMap(([name, value]) =>
    [value ?? ""].flat().flatMap((one) => (one === "" ? [] : [`--${name}`, quote(one)])));
  // What begins like an option and is none stands behind `--`.
  const isOdd = words.some((word) => word.startsWith("-"));
  const [verb, ...rest] = isOdd ? [words.filter((word) => !word.startsWith("-")), "--", ...words.filter((word) => word.startsWith("-"))] : [words];
  return ["vastflow", ...(verb ?? []).map(quote), ...given, ...rest.map(quote)].join(" ");
}
