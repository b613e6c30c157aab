#!/usr/bin/env node
// `npx caudal`: in a clone it installs and builds first when that is needed, then runs on the Node that the project
// brings along; in the packed package everything is there. The command itself is apps/cli.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, isBuilt } from '../scripts/compile.mjs';
import { ensureInstalled, isPackage, projectNode } from '../scripts/install.mjs';
import { stopAll } from '../scripts/processes.mjs';
import { readEnv, root } from '../scripts/read-env.mjs';

const main = fileURLToPath(new URL('../dist/apps/cli/src/main.js', import.meta.url));
// Results alone go to stdout: what is said on the way may not.
const say = (text) => process.stderr.write(`${text}\n`);

if (!isPackage(root)) {
  try {
    const options = { root, env: readEnv(), say };
    await ensureInstalled(options);
    if (!isBuilt(root)) await build(options);
  } catch (problem) {
    say(problem.message);
    process.exitCode = 1;
  }
  await stopAll();
}
if (process.env.npm_command === 'exec') endWithNpx();
if (process.exitCode === undefined) {
  if (!existsSync(main)) throw new Error(`${main} is missing: the package is incomplete, install it again`);
  if (projectNode(root) === process.execPath) await import(main);
  else process.exitCode = await runOnProjectNode();
}

function runOnProjectNode() {
  const args = ['--enable-source-maps', main, ...process.argv.slice(2)];
  const child = spawn(projectNode(root), args, { stdio: 'inherit' });
  // Ctrl-C of a terminal reaches the child too, which takes the second for the same; kill reaches this process alone.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

// npx hands a SIGTERM to the shell between it and this process, which ends without passing it on: its end is the signal.
function endWithNpx() {
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  timer.unref();
}
