// How group values become text: the key of a row, and the middle part of a feature's key.

/** One value stands raw, several as a JSON array of strings without spaces (product contract, topics). */
export function encodeGroup(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : JSON.stringify(values);
}

/** The inverse of {@link encodeGroup}; `columns` says how many values there are. */
export function decodeGroup(text: string, columns: number): string[] {
  return columns === 1 ? [text] : (JSON.parse(text) as string[]);
}
