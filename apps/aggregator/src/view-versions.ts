// A short name for each view's definition, by which contributions to a view as it was are told from those to what it is.
import type { Fingerprint } from '#windowing';
import { createHash } from 'node:crypto';

export function viewVersions({ views }: Fingerprint): Map<string, string> {
  const version = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 8);
  return new Map(Object.entries(views).map(([view, text]) => [view, version(text)]));
}
