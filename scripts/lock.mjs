// Lock files between processes: one start per state folder, one download per cache, one taker per port.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isAlive } from './pids.mjs';

function readHolder(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Tries to take a lock. Answers `{release(), previous}` (`previous`: what a holder that is dead had written), or
 * `{holder}` when a living process has it. `note` is written beside our pid.
 */
export function tryLock(file, note = {}) {
  mkdirSync(dirname(file), { recursive: true });
  const own = `${file}.${randomUUID()}`;
  writeFileSync(own, JSON.stringify({ ...identify(process.pid), ...note }));
  let previous;
  try {
    for (;;) {
      try {
        linkSync(own, file); // complete from the first moment on, unlike open('wx') and write
        return { previous, release: () => rmSync(file, { force: true }) };
      } catch (cause) {
        if (cause.code !== 'EEXIST') throw cause;
      }
      const holder = readHolder(file);
      if (holder && isAlive(holder)) return { holder };
      previous = takeAway(file) ?? previous;
    }
  } finally {
    rmSync(own, { force: true });
  }
}

// By renaming, so that of two who saw the same dead holder only one removes it; one who caught a fresh lock puts it back.
function takeAway(file) {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
    const found = readHolder(aside);
    if (found && isAlive(found)) linkSync(aside, file);
    return found;
  } catch (cause) {
    if (cause.code !== 'ENOENT' && cause.code !== 'EEXIST') throw cause;
    return undefined;
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Takes a lock, waiting while a living process has it; `onWait(holder)` is called once when it has to. */
export async function waitForLock(file, onWait) {
  let told = false;
  for (;;) {
    const lock = tryLock(file);
    if (lock.release) return lock;
    if (!told) onWait(lock.holder);
    told = true;
    await sleep(250);
  }
}
