// What a rehearsal found, in words: how each view's groups would change in Redis.
import { table, type Terminal } from '../terminal.js';

interface Difference {
  key: Record<string, string>;
  feature: string;
  old: string | number | null;
  new: string | number | null;
}
type ViewDiff =
  | { not_comparable: true }
  | { added: number; changed: number; unchanged: number; missing: number; items: Difference[] };

/** The part of a rehearsed run's document that is shown. */
export interface Rehearsed {
  diff: Record<string, ViewDiff>;
}

const SHOWN = 20;

export function diffText({ diff }: Rehearsed, { paint }: Terminal): string {
  const parts: string[] = [];
  for (const [view, found] of Object.entries(diff)) {
    if ('not_comparable' in found) {
      parts.push(`${paint.bold(view)}: accumulates over uploads, so there is nothing to compare one file with`);
      continue;
    }
    const { added, changed, unchanged, missing, items } = found;
    parts.push(
      `${paint.bold(view)}: ${added} groups added, ${changed} changed, ${unchanged} unchanged, ${missing} not named`,
    );
    if (items.length === 0) continue;
    const rows = items
      .slice(0, SHOWN)
      .map((item) => [Object.values(item.key).join(' '), item.feature, String(item.old ?? ''), String(item.new ?? '')]);
    parts.push(table(['group', 'feature', 'in Redis', 'in the file'], rows));
    if (items.length > SHOWN) parts.push(`... ${items.length - SHOWN} more (--json shows all)`);
  }
  return parts.join('\n');
}
