// Reads of features: which keys SCAN looks at for a view.
import { templateParts, type View } from '#contracts';

export interface ViewScan {
  /** The pipeline's name. */
  readonly pipeline: string;
  readonly view: View;
}

/** The SCAN pattern of a view's keys: its template's literals, `*` where a value or a window stands. */
export function scanPattern({ pipeline, view }: ViewScan): string {
  const parts = templateParts(view.redis.key).map((part) => {
    if ('literal' in part) return escapeGlob(part.literal);
    if (part.placeholder === 'view') return escapeGlob(view.name);
    return part.placeholder === 'pipeline' ? escapeGlob(pipeline) : '*';
  });
  // Redis' matcher backtracks at each star: two in a row cost more and match no more.
  return joinStars(parts);
}

function joinStars(parts: readonly string[]): string {
  return parts.filter((part, at) => part !== '*' || parts[at - 1] !== '*').join('');
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, String.raw`\$&`);
}
