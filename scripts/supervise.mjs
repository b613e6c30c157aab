// Keeps programs running: one that dies is started again, later each time, and said; one that keeps dying by itself ends
// it all.
import { setTimeout as sleep } from 'node:timers/promises';
import { Closing, howItEnded, isClosing } from './processes.mjs';

const deathsMax = 5;
const withinMs = 60_000;
const firstWaitMs = 500;
/** How a service ends whose configuration or pipeline files are wrong: only a person can mend that. */
const wrongConfigCode = 2;
const longestWaitMs = 4000;
const crashes = new Set(['SIGABRT', 'SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP']);

/** Whether a program ended by itself: not killed by somebody, not asked to end. What others do says nothing about it. */
const byItself = ({ code, signal }) => (signal ? crashes.has(signal) : code !== 0);

/** How long to wait before the next start, of its deaths so far (`{timeMs, code, signal}`); undefined: give up. Pure. */
export function waitBeforeRestartMs(deaths, nowMs) {
  const recent = deaths.filter(({ timeMs }) => timeMs > nowMs - withinMs);
  if (recent.filter(byItself).length >= deathsMax) return undefined;
  return Math.min(firstWaitMs * 2 ** (recent.length - 1), longestWaitMs);
}

/**
 * Restarts `program` (see restartable in processes.mjs) whenever it ends. Never resolves; rejects with its last lines
 * when it died by itself 5 times within 60 s, or at once when its configuration is wrong; with Closing when everything
 * is being stopped.
 */
export async function keepRunning({ name, program, say }) {
  const deaths = [];
  for (;;) {
    const ended = await program.exited;
    if (isClosing()) throw new Closing(`${name} was stopped.`);
    if (ended.code === wrongConfigCode)
      throw new Error([`${name} did not start:`, ...program.lastLines()].join('\n  '));
    const nowMs = performance.now();
    deaths.push({ timeMs: nowMs, code: ended.code, signal: ended.signal });
    const waitMs = waitBeforeRestartMs(deaths, nowMs);
    if (waitMs === undefined) {
      const what = `${name} ended ${deathsMax} times within ${withinMs / 1000} s (last: ${howItEnded(ended)}). Its last lines:`;
      throw new Error([what, ...program.lastLines()].join('\n  '));
    }
    say(`${name} died (${howItEnded(ended)}); restarting it in ${waitMs / 1000} s.`);
    await sleep(waitMs);
    try {
      await program.restart();
      say(`${name} was restarted (process ${program.pid}).`);
    } catch (problem) {
      if (problem instanceof Closing) throw problem;
      say(problem.message); // its next round counts this as one more death
    }
  }
}
