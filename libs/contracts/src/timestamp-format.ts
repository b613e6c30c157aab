// The pattern of a timestamp column's text (`format: dd/MM/yyyy`), in Luxon's tokens: what it may hold, and its parts.
// Whatever could depend on the clock or on a locale's habits is refused: the same text is always the same moment.

/** `text`: a token such as `yyyy`, or the characters that stand for themselves. */
export interface FormatPart {
  readonly token: boolean;
  readonly text: string;
}

/** What each allowed token tells of a moment. */
const TOKENS: Readonly<
  Record<string, 'year' | 'month' | 'day' | 'day of year' | 'weekday' | 'time' | 'hour of half' | 'half' | 'zone'>
> = {
  yyyy: 'year',
  yy: 'year',
  M: 'month',
  MM: 'month',
  MMM: 'month',
  MMMM: 'month',
  d: 'day',
  dd: 'day',
  o: 'day of year',
  ooo: 'day of year',
  EEE: 'weekday',
  EEEE: 'weekday',
  H: 'time',
  HH: 'time',
  h: 'hour of half',
  hh: 'hour of half',
  a: 'half',
  m: 'time',
  mm: 'time',
  s: 'time',
  ss: 'time',
  S: 'time',
  SSS: 'time',
  u: 'time',
  Z: 'zone',
  ZZ: 'zone',
  ZZZ: 'zone',
};

/** Letters are tokens unless they stand in single quotes. */
export function formatParts(format: string): FormatPart[] {
  const parts: FormatPart[] = [];
  for (const [text] of format.matchAll(/'[^']*'|([A-Za-z])\1*|[^A-Za-z']+|'/g)) {
    if (/^[A-Za-z]/.test(text)) parts.push({ token: true, text });
    else parts.push({ token: false, text: text.length > 1 && text.startsWith("'") ? text.slice(1, -1) : text });
  }
  return parts;
}

/** True when the text states its own zone: `time_zone` has no say then. */
export function statesZone(parts: readonly FormatPart[]): boolean {
  return parts.some(({ token, text }) => token && TOKENS[text] === 'zone');
}

const OF_A_DAY: ReadonlySet<string> = new Set(['year', 'month', 'day', 'day of year', 'weekday']);

/** True when the text has no time of day: it stands for the whole day. */
export function statesDayOnly(parts: readonly FormatPart[]): boolean {
  return parts.every(({ token, text }) => !token || OF_A_DAY.has(TOKENS[text]!));
}

/** Why `format` is none, in words that end the sentence "format ..."; null for one that can be read. */
export function formatProblem(format: string): string | null {
  const parts = formatParts(format);
  if (parts.some(({ token, text }) => !token && text === "'")) return "has a ' that is not closed";
  const tokens = parts.filter(({ token }) => token).map(({ text }) => text);
  const unknown = tokens.filter((token) => !Object.hasOwn(TOKENS, token));
  if (unknown.length > 0) {
    const hint = unknown.some((token) => /^[YD]+$/.test(token)) ? ' (year and day are yyyy and dd)' : '';
    return `has the unknown token ${unknown.join(', ')}${hint}; tokens are ${Object.keys(TOKENS).join(' ')}, other letters stand in single quotes`;
  }
  const told = new Set(tokens.map((token) => TOKENS[token]!));
  const day = (told.has('month') && told.has('day')) || told.has('day of year');
  if (!told.has('year') || !day) return 'must tell year, month and day (or yyyy and ooo)';
  if (told.has('hour of half') !== told.has('half'))
    return 'needs h and a (AM, PM) together; H is the hour of the whole day';
  return null;
}
