// Regular expressions of pipeline files run on data from outside: one that backtracks without end would stop ingest at one
// row. JavaScript's engine has no limit of its own, so what is known to explode is refused when the file is read.

/** Why `source` may not be a column's pattern, in words that follow its place; null for one that may. */
export function patternProblem(source: string): string | null {
  if (!isPattern(source)) return 'must be a regular expression (JavaScript, flag u) that the whole value matches';
  const repeated = nestedRepetition(source);
  if (repeated === null) return null;
  return `repeats ${repeated}, which itself repeats something: that can take for ever on a value that does not match; write it without one of the two`;
}

function isPattern(source: string): boolean {
  try {
    return new RegExp(source, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

interface Group {
  /** Where it begins. */
  from: number;
  /** Holds a part that may repeat in more than one way. */
  varies: boolean;
}

/**
 * The group that is repeated without end though it holds a repetition of its own, as (a+)+; null when there is none.
 * `source` must be a valid expression. Alternatives that overlap, as (a|a)+, are not found.
 */
function nestedRepetition(source: string): string | null {
  const open: Group[] = [{ from: 0, varies: false }];
  const atoms = /\\[pPux]\{[^}]*\}|\\.|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:[:=!]|<[=!]|<[^>]*>))?|\)|[^\\[()]/gsu;
  for (let match = atoms.exec(source); match; match = atoms.exec(source)) {
    const [atom] = match;
    if (atom.startsWith('(')) {
      open.push({ from: match.index, varies: false });
      continue;
    }
    const end = match.index + atom.length;
    const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(source.slice(end))?.[0] ?? '';
    const endless = /^(?:[*+]|\{\d+,\})$/.test(quantifier);
    const group = atom === ')' ? open.pop()! : null;
    if (group?.varies && endless) return source.slice(group.from, end);
    const parent = open.at(-1)!;
    parent.varies ||= endless || /^\{(\d+),(?!\1\})\d+\}$/.test(quantifier) || (group?.varies ?? false);
  }
  return null;
}
