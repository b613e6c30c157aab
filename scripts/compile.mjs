// TypeScript to dist, again only when a source has changed since: a stamp over paths, sizes and times.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isPackage, projectNode } from './install.mjs';
import { run } from './processes.mjs';

const sourceDirs = ['apps', 'libs'];
const settingFiles = ['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];
const stampFile = (root) => join(root, 'dist', '.stamp');

/** A hash that changes when a source is changed, added or removed; tests do not count. */
export function sourceStamp(root) {
  const hash = createHash('sha256');
  const add = (path) => {
    const info = statSync(join(root, path), { throwIfNoEntry: false });
    if (info?.isFile()) hash.update(`${path}\0${info.size}\0${info.mtimeMs}\n`);
  };
  for (const dir of sourceDirs) {
    const paths = readdirSync(join(root, dir), { recursive: true }).filter((path) => !path.endsWith('.spec.ts'));
    for (const path of paths.sort()) add(join(dir, path));
  }
  settingFiles.forEach(add);
  return hash.digest('hex');
}

/** Whether dist was made from the sources as they are. */
export function isBuilt(root) {
  try {
    return readFileSync(stampFile(root), 'utf8') === sourceStamp(root);
  } catch (cause) {
    if (cause.code === 'ENOENT') return false;
    throw cause;
  }
}

/** Compiles apps and libs. Throws an Error with the compiler's words. */
export async function build({ root, env, say }) {
  const startedMs = performance.now();
  const stamp = sourceStamp(root); // before: what changes meanwhile is built next time
  rmSync(stampFile(root), { force: true });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [compiler, '-p', 'tsconfig.build.json', '--pretty', 'false'];
  await run({ name: 'The build (tsc)', command: projectNode(root), args, cwd: root, env });
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(stampFile(root), stamp);
  say(`Built in ${((performance.now() - startedMs) / 1000).toFixed(1)} s.`);
}

/** Compiles when a source has changed since the last time. */
export async function ensureBuilt(options) {
  if (!isPackage(options.root) && !isBuilt(options.root)) await build(options);
}
