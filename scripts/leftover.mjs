// Stores leave their pid beside their data: when starter and guard were both killed, the next start finds what they
// had left running on that data and ends it first.
import { readFileSync, writeFileSync } from 'node:fs';
import { identify, isAlive, signalGroup, untilGone } from './pids.mjs';

/** Notes who uses the data now. */
export function writePidFile(pidFile, pid) {
  if (pid) writeFileSync(pidFile, JSON.stringify(identify(pid)));
}

/** Ends the process that the pid file names, if it is still that one: SIGTERM, then SIGKILL after `graceMs`. */
export async function stopLeftover({ name, pidFile, graceMs, say }) {
  let left;
  try {
    left = JSON.parse(readFileSync(pidFile, 'utf8'));
  } catch {
    return; // none was written, or only half of it: nothing to go by
  }
  if (!isAlive(left)) return;
  say?.(`${name} of an earlier start still runs (process ${left.pid}): stopping it first.`);
  signalGroup(left.pid, 'SIGTERM');
  const stubborn = await untilGone([left], graceMs);
  for (const { pid } of stubborn) signalGroup(pid, 'SIGKILL');
  await untilGone(stubborn, 2000);
}
