// Redis key templates: `{cidade}`, `{view}:{cidade}:{window_start}`. Checked at start, rendered for each write.

import type { WindowSpec } from './pipeline.js';

const PLACEHOLDER = /\{([^{}]*)\}/g;
const RESERVED = ['view', 'pipeline', 'window_start', 'window_end'];

export type TemplatePart = { literal: string } | { placeholder: string };

/** The template cut at its placeholders. */
export function templateParts(template: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  for (const match of template.matchAll(PLACEHOLDER)) {
    if (match.index > at) parts.push({ literal: template.slice(at, match.index) });
    parts.push({ placeholder: match[1]! });
    at = match.index + match[0].length;
  }
  if (at < template.length) parts.push({ literal: template.slice(at) });
  return parts;
}

export function sameColumns(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

/** What is wrong with a view's template; empty when nothing is. */
export function templateProblems(template: string, groupBy: readonly string[], window: WindowSpec['type']): string[] {
  const problems: string[] = [];
  const allowed = [...groupBy, 'view', 'pipeline', ...windowPlaceholders(window)];
  const used = templateParts(template).flatMap((part) => ('placeholder' in part ? [part.placeholder] : []));
  for (const name of used) {
    if (!allowed.includes(name)) {
      problems.push(`unknown placeholder {${name}}; allowed are ${allowed.map((a) => `{${a}}`).join(', ')}`);
    }
  }
  for (const column of groupBy) {
    if (!used.includes(column)) problems.push(`must hold every group column: {${column}} is missing`);
    if (RESERVED.includes(column)) problems.push(`group column "${column}" has the name of a placeholder of Caudal's`);
  }
  if (template.startsWith('caudal:')) problems.push('may not begin with "caudal:": those keys are Caudal\'s own');
  return problems;
}

/** A session's end moves, and its retraction knows only its start: the end cannot be part of a key. */
function windowPlaceholders(window: WindowSpec['type']): string[] {
  if (window === 'upload' || window === 'all_time') return [];
  return window === 'session' ? ['window_start'] : ['window_start', 'window_end'];
}

export interface KeyFields {
  readonly pipeline: string;
  readonly view: string;
  /** Group columns and their values, in the view's order. */
  readonly key: Readonly<Record<string, string>>;
  readonly windowStart: number | null;
  readonly windowEnd: number | null;
}

/**
 * A function that renders the template's keys. With one group column its value stands raw; with several, `%` and
 * every character of the template's own literals are percent-encoded inside values, so that keys never collide.
 */
export function keyRenderer(template: string, groupBy: readonly string[]): (fields: KeyFields) => string {
  const parts = templateParts(template);
  const own = new Set(parts.flatMap((part) => ('literal' in part ? [...part.literal] : [])).concat('%'));
  const encode =
    groupBy.length === 1
      ? (value: string) => value
      : (value: string) => {
          let out = '';
          for (const char of value) out += own.has(char) ? percentEncode(char) : char;
          return out;
        };
  return (fields) => {
    let key = '';
    for (const part of parts) key += 'literal' in part ? part.literal : valueOf(part.placeholder, fields, encode);
    return key;
  };
}

function valueOf(placeholder: string, fields: KeyFields, encode: (value: string) => string): string {
  switch (placeholder) {
    case 'view':
      return fields.view;
    case 'pipeline':
      return fields.pipeline;
    case 'window_start':
      return String(fields.windowStart);
    case 'window_end':
      return String(fields.windowEnd);
    default:
      return encode(fields.key[placeholder]!);
  }
}

function percentEncode(char: string): string {
  return [...Buffer.from(char)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}
