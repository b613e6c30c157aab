// The shipped example: uploads it as any client would and shows the features that Redis then holds.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectNode } from './install.mjs';
import { run } from './processes.mjs';

export const exampleFile = join('examples', 'novas_empresas.csv');
const waitSeconds = 120;

/** The upload call of the example's pipeline. */
export const uploadUrl = (origin) => `${origin}/v1/pipelines/empresas/uploads`;

/**
 * Uploads the example and waits until its features are in Redis (a second time it is known, and answered at once).
 * Answers the run. Throws an Error with the service's own words when it does not complete.
 */
export async function ingestExample({ root, origin, token }) {
  const answer = await fetch(`${uploadUrl(origin)}?wait=${waitSeconds}`, {
    method: 'POST',
    headers: { 'content-type': 'text/csv', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: readFileSync(join(root, exampleFile)),
    signal: AbortSignal.timeout((waitSeconds + 30) * 1000),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${exampleFile} was not completed: ${answer.status} ${text}`);
  return JSON.parse(text);
}

/** The table of the example's features, read back from Redis; with `check` an Error when a value is wrong. */
export async function exampleTable({ root, env, check }) {
  const args = [join(root, 'scripts', 'print-features.mjs'), ...(check ? ['--check'] : [])];
  const lines = await run({ name: 'The table of features', command: projectNode(root), args, cwd: root, env });
  return lines.join('\n');
}
