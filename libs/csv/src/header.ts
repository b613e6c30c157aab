// Between the header and the first row: does this file have the columns that the pipeline declares?
import { LIMITS, type Pipeline } from '#contracts';

/** `columns`: the names concerned; of columns without a name, none (the message says where they stand). */
export interface HeaderProblem {
  code: 'missing_column' | 'unknown_column' | 'duplicate_column' | 'empty_column' | 'too_many_columns';
  columns: string[];
  message: string;
}

/**
 * Every reason to refuse a file for its header; none when it can be read. Declared columns may stand in any order,
 * columns that are not declared are allowed unless the pipeline rejects them (they are never published), no name may be
 * empty or stand twice.
 */
export function headerProblems(pipeline: Pipeline, header: readonly string[]): HeaderProblem[] {
  const problems: HeaderProblem[] = [];
  if (header.length > LIMITS.columns) {
    const message = `the header has ${header.length} columns, at most ${LIMITS.columns} are allowed`;
    problems.push({ code: 'too_many_columns', columns: [], message });
  }
  const places = new Map<string, number>();
  for (const name of header) places.set(name, (places.get(name) ?? 0) + 1);
  const missing = pipeline.columns.map((column) => column.name).filter((name) => !places.has(name));
  if (missing.length > 0) {
    const message = `the header lacks ${listed(missing)}; it has ${listed(header)}${hint(missing, header)}`;
    problems.push({ code: 'missing_column', columns: missing, message });
  }
  const declared = new Set(pipeline.columns.map((column) => column.name));
  const unknown = [...places.keys()].filter((name) => name !== '' && !declared.has(name));
  if (pipeline.csv.unknownColumns === 'reject' && unknown.length > 0) {
    const message = `the header has ${listed(unknown)}, which the pipeline does not declare and rejects`;
    problems.push({ code: 'unknown_column', columns: unknown, message });
  }
  const twice = [...places].filter(([name, count]) => name !== '' && count > 1).map(([name]) => name);
  if (twice.length > 0) {
    const message = `the header names ${listed(twice)} more than once: give every column a name of its own`;
    problems.push({ code: 'duplicate_column', columns: twice, message });
  }
  const empty = header.flatMap((name, index) => (name === '' ? [String(index + 1)] : []));
  if (empty.length > 0) {
    const message = `the header has no name for column number ${empty.slice(0, LISTED).join(', ')}: name or remove it`;
    problems.push({ code: 'empty_column', columns: [], message });
  }
  return problems;
}

const LISTED = 20;
const LISTED_LENGTH = 60;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, LISTED).map((name) => JSON.stringify(name.slice(0, LISTED_LENGTH)));
  const more = names.length - shown.length;
  return shown.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** Names that differ only in case or in spaces around them are the usual cause. */
function hint(missing: readonly string[], header: readonly string[]): string {
  const folded = (name: string) => name.trim().toLowerCase();
  const wanted = new Set(missing.map(folded));
  const near = header.filter((name) => wanted.has(folded(name)));
  return near.length === 0 ? '' : ` (names must be equal in case and spaces: look at ${listed(near)})`;
}
