// The secret that notices are signed with: `CAUDAL_NOTIFY_SECRET`, else one made at the first start and kept in the state
// folder. There are no unsigned notices.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** `path` is null when the secret was given. Throws what the disk says. */
export async function notifySecret(
  given: string | null,
  stateDir: string,
): Promise<{ secret: string; path: string | null }> {
  if (given !== null) return { secret: given, path: null };
  const path = join(stateDir, 'notify-secret');
  const kept = await readFile(path, 'utf8').catch(() => null);
  if (kept !== null && kept.trim().length >= 32) return { secret: kept.trim(), path };
  const secret = randomBytes(32).toString('hex');
  await mkdir(stateDir, { recursive: true });
  await writeFile(path, `${secret}\n`, { mode: 0o600 });
  return { secret, path };
}
