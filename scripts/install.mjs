// `npm ci` when it is needed: asked of what npm itself noted in node_modules, so that an install by hand counts too.
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './processes.mjs';
import { startProgress } from './say.mjs';

const npmReasonsMax = 15;
const npmError = /^npm (error|ERR!) \S/;

/** The Node 24 that the project brings along. */
export const projectNode = (root) => join(root, 'node_modules', 'node', 'bin', 'node');

/**
 * What the lock file asks for and node_modules has not, or in another version: package paths. Pure. Optional ones may
 * be missing (binaries for other systems).
 */
export function missingPackages(lock, installed) {
  return Object.entries(lock.packages)
    .filter(([path, wanted]) => {
      if (path === '') return false;
      const found = installed.packages[path];
      if (!found) return !wanted.optional && !wanted.devOptional;
      return found.version !== wanted.version || found.integrity !== wanted.integrity;
    })
    .map(([path]) => path);
}

/** Whether node_modules is what package-lock.json says, with its Node. */
export function isInstalled(root) {
  const noted = join(root, 'node_modules', '.package-lock.json'); // written by npm at the very end of an install
  if (!existsSync(noted) || !existsSync(projectNode(root))) return false;
  const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
  try {
    return missingPackages(read(join(root, 'package-lock.json')), read(noted)).length === 0;
  } catch (cause) {
    if (cause instanceof SyntaxError) return false;
    throw cause;
  }
}

/** An environment whose PATH begins with the project's own programs. */
export function withProjectPath(root, env) {
  return { ...env, PATH: [join(root, 'node_modules', '.bin'), env.PATH].join(delimiter) };
}

/**
 * Of npm ci's output, the packages that it misses in the lock file, when that is its complaint and each is an optional
 * one of a locked package (a binary for another system, left out of the lock where the registry did not offer it);
 * else undefined. Pure.
 */
export function missingOptional(lines, lock, manifest) {
  const complains = (pattern) =>
    lines.filter((line) => npmError.test(line)).flatMap((line) => pattern.exec(line) ?? []);
  if (complains(/code EUSAGE/).length === 0 || complains(/Invalid: /).length > 0) return undefined;
  const missing = lines.flatMap((line) => /Missing: (@?[^@]+)@.* from lock file/.exec(line)?.[1] ?? []);
  const optional = new Set(Object.values(lock.packages).flatMap((one) => Object.keys(one.optionalDependencies ?? {})));
  const own = { ...manifest.dependencies, ...manifest.devDependencies };
  // What such a package needs itself is missing with it; what package.json asks for must not be.
  const explained = missing.some((name) => optional.has(name)) && !missing.some((name) => name in own);
  return explained ? missing : undefined;
}

/** Installs the project's packages when they are missing or other than the lock file says, with progress. */
export async function ensureInstalled({ root, env, say }) {
  if (isInstalled(root)) return;
  const read = (name) => JSON.parse(readFileSync(join(root, name), 'utf8'));
  const lock = read('package-lock.json');
  const options = { root, env, total: Object.keys(lock.packages).length - 1 };
  say('Installing packages into node_modules (npm ci) ...');
  try {
    await npm({ ...options, command: ['ci'] });
  } catch (problem) {
    const missing = problem.lines && missingOptional(problem.lines, lock, read('package.json'));
    if (!missing) throw npmProblem(problem);
    // Still what the lock file says, checked against its hashes, for all that it names.
    say(
      `package-lock.json lacks ${missing.length} binaries for other systems, which npm ci refuses: npm install instead.`,
    );
    await npm({ ...options, command: ['install', '--no-save'] }).catch((again) => {
      throw npmProblem(again);
    });
  }
  if (!isInstalled(root))
    throw new Error('npm ended well but left node_modules incomplete. Delete node_modules and start again.');
  say('Packages are installed.');
}

async function npm({ root, env, total, command }) {
  let fetched = 0;
  const progress = startProgress(
    () => `npm ${command[0]}: ${Math.min(fetched, total)} of up to ${total} packages fetched`,
  );
  const onLine = (line) => {
    if (/http (fetch GET 200|cache) .*\.tgz/.test(line)) fetched += 1;
  };
  try {
    // --include=dev: NODE_ENV=production must not leave out the compiler.
    const args = [...command, '--include=dev', '--no-audit', '--no-fund', '--loglevel=http'];
    await run({
      name: `npm ${command[0]}`,
      command: 'npm',
      args,
      cwd: root,
      env: withoutProjectPath(root, env),
      onLine,
    });
  } finally {
    progress.end();
  }
}

// npm ends with a page of usage: its reasons stand first.
function npmProblem(problem) {
  const reasons = (problem.lines ?? []).filter((line) => npmError.test(line)).slice(0, npmReasonsMax);
  if (reasons.length === 0) return problem;
  return new Error(['Installing the packages failed. npm says:', ...reasons].join('\n  '), { cause: problem });
}

// npm ci deletes node_modules first: it must not run on the Node inside.
function withoutProjectPath(root, env) {
  const parts = (env.PATH ?? '').split(delimiter).filter((part) => !part.startsWith(join(root, 'node_modules')));
  const settings = Object.entries(env).filter(([name]) => !name.startsWith('npm_') || name.startsWith('npm_config_'));
  return { ...Object.fromEntries(settings), PATH: parts.join(delimiter) };
}
