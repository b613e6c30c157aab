// `npm ci` when it is needed: asked of what npm itself noted in node_modules, so that an install by hand counts too.
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run } from './processes.mjs';
import { startProgress } from './say.mjs';

const npmReasonsMax = 15;
const npmError = /^npm (error|ERR!) \S/;

const broughtNode = (root) => join(root, 'node_modules', 'node', 'bin', 'node');

/** Whether this is the packed package: it comes compiled, and npm has installed what it needs beside it. */
export const isPackage = (root) => !existsSync(join(root, 'package-lock.json'));

/** The Node 24 that the project brings along; of the packed package, the one that runs. */
export const projectNode = (root) => (isPackage(root) ? process.execPath : broughtNode(root));

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
      // Binaries for systems that the lock was not made on have no hash in it.
      const differs = wanted.integrity !== undefined && found.integrity !== wanted.integrity;
      return found.version !== wanted.version || differs;
    })
    .map(([path]) => path);
}

/** Whether node_modules is what package-lock.json says, with its Node. */
export function isInstalled(root) {
  const noted = join(root, 'node_modules', '.package-lock.json'); // written by npm at the very end of an install
  if (!existsSync(noted) || !existsSync(broughtNode(root))) return false;
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

/** Installs the project's packages when they are missing or other than the lock file says, with progress. */
export async function ensureInstalled({ root, env, say }) {
  if (isPackage(root) || isInstalled(root)) return;
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  say('Installing packages into node_modules (npm ci) ...');
  await npm({ root, env, total: Object.keys(lock.packages).length - 1 }).catch((problem) => {
    throw npmProblem(problem);
  });
  if (!isInstalled(root))
    throw new Error('npm ended well but left node_modules incomplete. Delete node_modules and start again.');
  say('Packages are installed.');
}

async function npm({ root, env, total }) {
  let fetched = 0;
  const progress = startProgress(() => `npm ci: ${Math.min(fetched, total)} of up to ${total} packages fetched`);
  const onLine = (line) => {
    if (/http (fetch GET 200|cache) .*\.tgz/.test(line)) fetched += 1;
  };
  try {
    // --include=dev: NODE_ENV=production must not leave out the compiler.
    const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=http'];
    await run({
      name: 'npm ci',
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
