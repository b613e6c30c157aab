// Every process that the scripts start goes through here: in a session of its own (a terminal's Ctrl-C reaches only
// the starter, which then stops all in order), told to the guard, its lines kept for the error message.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { identify, isAlive, ranks, signalGroup, stopInOrder, untilGone } from './pids.mjs';

const keptLines = 20;
const logBytesMax = 10 * 1024 * 1024;
const sameSignalMs = 1000;

const running = new Map();
const scratchDirs = new Set();
let guard;
let closing = false;

/** Thrown into whatever still wants to start something after the end has begun. */
export class Closing extends Error {
  code = 'closing';
}

/** Whether the end has begun. */
export const isClosing = () => closing;

/** The guard's `{pid, startTime}`; starts it when there is none yet. */
export function guardIdentity() {
  if (!guard) {
    const script = fileURLToPath(new URL('guard.mjs', import.meta.url));
    guard = spawn(process.execPath, [script], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: { PATH: process.env.PATH },
      cwd: '/',
    });
    guard.stdin.on('error', () => {}); // a guard that was killed is no reason to stop
    guard.on('error', () => {});
    guard.unref();
    guard.stdin.unref();
  }
  return identify(guard.pid);
}

function tellGuard(message) {
  guardIdentity();
  guard.stdin.write(`${JSON.stringify(message)}\n`);
}

/** A folder that must not outlive this process, however it ends. */
export function removeAtEnd(dir) {
  scratchDirs.add(dir);
  tellGuard({ scratch: dir });
}

/** Ends all that still runs, services first, then removes throw-away folders; nothing can be started any more. */
export async function stopAll() {
  closing = true;
  await stopInOrder([...running.values()]);
  for (const dir of scratchDirs) rmSync(dir, { recursive: true, force: true });
}

/** SIGINT, SIGTERM and SIGHUP stop all and exit with `exitCode(signal)`; a second one (1 s later) does so at once. */
export function stopOnSignals({ say, exitCode }) {
  let firstMs;
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
  const onSignal = async (signal) => {
    const nowMs = performance.now();
    if (firstMs !== undefined) {
      // npm passes on the Ctrl-C that the terminal has sent to everyone: the same one, a moment later.
      if (nowMs - firstMs < sameSignalMs) return;
      say('Stopping at once.');
      for (const { pid } of running.values()) signalGroup(pid, 'SIGKILL');
      process.exit(128 + numbers[signal]); // the guard removes throw-away folders
    }
    firstMs = nowMs;
    say('Stopping ... (once more to stop at once)');
    await stopAll();
    process.exit(exitCode(128 + numbers[signal]));
  };
  for (const signal of Object.keys(numbers)) process.on(signal, onSignal);
}

function openLog(file) {
  mkdirSync(dirname(file), { recursive: true });
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > logBytesMax) renameSync(file, `${file}.1`);
  const stream = createWriteStream(file, { flags: 'a' });
  stream.on('error', () => {}); // a full disk must not end the starter
  return stream;
}

/**
 * Starts a program. `rank`: when it is stopped (see pids.mjs). `logFile`: where its lines go as well. `onLine(line,
 * source)`: sees each line, source is 'stdout' or 'stderr'. `inherit`: writes to our own output instead.
 * Answers `{name, pid, exited, lastLines(), signal(name), stop(graceMs)}`; `exited` resolves with
 * `{code, signal, problem}` and never rejects (`problem`: why it could not be started).
 */
export function launch({ name, command, args = [], cwd, env, rank = ranks.service, logFile, onLine, inherit = false }) {
  if (closing) throw new Closing(`${name} is not started any more: everything is being stopped.`);
  const stdio = inherit ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'];
  guardIdentity();
  const child = spawn(command, args, { cwd, env, detached: true, stdio });
  const self = { name, rank, ...(child.pid ? identify(child.pid) : { pid: undefined }) };
  if (child.pid) {
    running.set(child.pid, self);
    tellGuard({ started: self });
  }
  const lines = [];
  const log = logFile ? openLog(logFile) : undefined;
  for (const source of inherit ? [] : ['stdout', 'stderr']) {
    createInterface({ input: child[source] }).on('line', (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      log?.write(`${line}\n`);
      onLine?.(line, source);
    });
  }
  const exited = new Promise((resolve) => {
    const end = (result) => {
      running.delete(child.pid);
      if (child.pid) tellGuard({ ended: child.pid });
      log?.end();
      resolve(result);
    };
    child.once('error', (problem) => child.pid || end({ code: null, signal: null, problem }));
    child.once('exit', (code, signal) => {
      // What it has printed last may still be in the pipes; what it left running in its group may hold them open.
      const drained = new Promise((done) => {
        child.once('close', done);
        setTimeout(done, 500).unref();
      });
      void drained.then(() => end({ code, signal }));
    });
  });
  return {
    name,
    pid: child.pid,
    exited,
    lastLines: () => [...lines],
    signal: (signal) => isAlive(self) && signalGroup(self.pid, signal),
    async stop(graceMs) {
      if (isAlive(self)) signalGroup(self.pid, 'SIGTERM');
      const left = await untilGone([self], graceMs);
      if (left.length > 0) signalGroup(self.pid, 'SIGKILL');
      await exited;
    },
  };
}

/** Runs a program to its end. Answers its lines; throws an Error with its last lines (all: `lines`) when it fails. */
export async function run(options) {
  const lines = [];
  const child = launch({
    ...options,
    onLine: (line, source) => {
      lines.push(line);
      options.onLine?.(line, source);
    },
  });
  const { code, signal, problem } = await child.exited;
  if (code === 0) return lines;
  if (closing) throw new Closing(`${options.name} was stopped.`);
  const why = howItEnded({ code, signal, problem });
  throw Object.assign(new Error([`${options.name} failed: ${why}`, ...child.lastLines()].join('\n  ')), { lines });
}

/** 'exit code 1' or 'SIGKILL'. */
export function howItEnded({ code, signal, problem }) {
  return problem?.message ?? signal ?? `exit code ${code}`;
}

/**
 * A program that can be started again. `open()` launches it and resolves when it can be used. Answers `{pid, exited,
 * lastLines(), stop(), kill(), restart()}`; `exited` is that of the present process.
 */
export async function restartable({ open, graceMs }) {
  let child = await open();
  return {
    get pid() {
      return child.pid;
    },
    get exited() {
      return child.exited;
    },
    lastLines: () => child.lastLines(),
    stop: () => child.stop(graceMs),
    async kill() {
      child.signal('SIGKILL');
      await child.exited;
    },
    async restart() {
      await child.stop(graceMs);
      child = await open();
    },
  };
}
