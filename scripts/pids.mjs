// Who a process is (pid and start time, since pids are used again) and how a set of them is ended in order.
// Used by the starter, its guard and the lock files; it keeps no state.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Services end first; the stores they still write to after them. The times together stay below 15 s. */
export const ranks = { service: 0, store: 1 };
const graceMsByRank = [9000, 3500];
const pollMs = 50;

/** Start time of a process as the system tells it (a text to compare), or undefined when it is gone or a zombie. */
export function startTimeOf(pid) {
  if (process.platform !== 'linux') {
    const ps = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
    return (ps.stdout ?? '').trim() || undefined;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before may hold spaces and brackets
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** `{pid, startTime}`: enough to know the process again later. */
export function identify(pid) {
  return { pid, startTime: startTimeOf(pid) };
}

/** Whether exactly that process still runs. */
export function isAlive({ pid, startTime }) {
  return startTime !== undefined && startTimeOf(pid) === startTime;
}

/** Sends a signal to a process and its group (each child of ours leads its own); a process that is gone is no error. */
export function signalGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch (cause) {
    if (cause.code !== 'ESRCH' && cause.code !== 'EPERM') throw cause;
  }
}

/** Waits until none of the processes is alive. Answers those that are after `limitMs`. */
export async function untilGone(processes, limitMs) {
  const endMs = performance.now() + limitMs;
  let left = processes.filter(isAlive);
  while (left.length > 0 && performance.now() < endMs) {
    await sleep(pollMs);
    left = left.filter(isAlive);
  }
  return left;
}

/** Ends all: SIGTERM, a grace, SIGKILL; services before stores. `processes`: `{pid, startTime, rank}`. */
export async function stopInOrder(processes) {
  for (const [rank, graceMs] of graceMsByRank.entries()) {
    const group = processes.filter((one) => one.rank === rank && isAlive(one));
    for (const { pid } of group) signalGroup(pid, 'SIGTERM');
    const left = await untilGone(group, graceMs);
    for (const { pid } of left) signalGroup(pid, 'SIGKILL');
    await untilGone(left, 1000);
  }
}
