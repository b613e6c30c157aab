// The three services as processes: started with the environment they need, their logs kept, waited for until ready.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { projectNode } from './install.mjs';
import { launch, restartable } from './processes.mjs';
import { dim, red, yellow } from './say.mjs';
import { serviceArgs } from './service-command.mjs';

/** In the order in which they are started; the port's variable and its usual value. */
export const services = [
  { name: 'ingest', variable: 'CAUDAL_PORT', usual: 8080 },
  { name: 'aggregator', variable: 'CAUDAL_AGGREGATOR_PORT', usual: 8090 },
  { name: 'feature-writer', variable: 'CAUDAL_WRITER_PORT', usual: 8091 },
];

const graceMs = 9000;
const shownLevels = new Map([
  ['warn', () => yellow('WARN')],
  ['error', () => red('ERROR')],
  ['fatal', () => red('FATAL')],
]);
const pollMs = 200;
const slowMs = 5000;
const reasonCharactersMax = 100;
const readyLimitMs = 180_000;

/** 'http://host:port' for a client on this machine, also when the services listen on all addresses. */
export function originOf(host, port) {
  const reachable = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** What the terminal shows of a line of a service's log: warnings and errors, briefly; undefined for the rest. Pure. */
export function briefLine(name, line) {
  let entry;
  try {
    entry = JSON.parse(line);
  } catch {
    return line.trim() ? `${dim(name)} ${line}` : undefined; // not of its logger: Node's own words, a crash
  }
  const word = shownLevels.get(entry?.level)?.();
  if (word === undefined) return undefined;
  const cause = entry.err?.message && entry.err.message !== entry.msg ? `: ${entry.err.message}` : '';
  return `${dim(name)} ${word} ${entry.msg ?? ''}${cause}`;
}

/** Starts one service; resolves at once (see untilReady). Answers a program as restartable in processes.mjs does. */
export function startService({ name, root, env, logDir, say }) {
  const onLine = (line) => {
    const brief = briefLine(name, line);
    if (brief) say(brief);
  };
  const open = async () =>
    launch({
      name,
      command: projectNode(root),
      args: serviceArgs(root, name),
      cwd: root,
      env,
      logFile: join(logDir, `${name}.log`),
      onLine,
    });
  return restartable({ open, graceMs });
}

/** Of one service: in words what it waits for (undefined: nothing), and why tasks of it have halted. */
async function askReady(origin) {
  try {
    const answer = await fetch(`${origin}/health/ready`, { signal: AbortSignal.timeout(2000) });
    if (answer.status === 200) return { halted: [] };
    const { reasons } = await answer.json().catch(() => ({}));
    const halted = whyHalted(reasons);
    return halted.length > 0 ? { halted } : { halted, state: briefReasons(reasons) ?? `answers ${answer.status}` };
  } catch {
    return { halted: [], state: 'does not answer yet' };
  }
}

/**
 * What a person has to mend before halted tasks go on, each once; empty where a service waits for anything else. Waiting
 * does not help such a task, and what helps (`caudal reset`) needs services that run. Pure.
 */
export function whyHalted(reasons) {
  const word = 'task_halted: ';
  if (!Array.isArray(reasons) || !reasons.every((reason) => String(reason).startsWith(word))) return [];
  return [...new Set(reasons.map((reason) => /\((.*)\)$/s.exec(reason)?.[1] ?? reason.slice(word.length)))];
}

/** The first of a service's reasons, cut to one line, and how many more there are; undefined of none. Pure. */
export function briefReasons(reasons) {
  if (!Array.isArray(reasons) || reasons.length === 0) return undefined;
  const first = typeof reasons[0] === 'string' ? reasons[0] : JSON.stringify(reasons[0]);
  const cut = first.length > reasonCharactersMax ? `${first.slice(0, reasonCharactersMax)}...` : first;
  return reasons.length > 1 ? `${cut} and ${reasons.length - 1} more` : cut;
}

/**
 * Resolves when all answer GET /health/ready with 200, or have only halted tasks left, which is said; says what is waited
 * for when that is slow. `waiting`: `[{name, origin, program}]`. Throws after 3 minutes with what was missing and their
 * last lines.
 */
export async function untilReady({ waiting, say }) {
  const startedMs = performance.now();
  let saidMs = startedMs;
  for (;;) {
    const states = await Promise.all(waiting.map(async (one) => ({ ...one, ...(await askReady(one.origin)) })));
    const missing = states.filter(({ state }) => state !== undefined);
    if (missing.length === 0) {
      for (const { name, halted } of states)
        for (const why of halted) say(`${red(`${name} has halted tasks:`)} ${why}`);
      return;
    }
    const nowMs = performance.now();
    const words = missing.map(({ name, state }) => `${name} (${state})`).join(', ');
    if (nowMs - startedMs > readyLimitMs) {
      const lines = missing.flatMap(({ name, program }) =>
        program
          .lastLines()
          .slice(-5)
          .map((line) => `${name}: ${line}`),
      );
      throw new Error([`Not ready after ${readyLimitMs / 1000} s: ${words}. Last lines:`, ...lines].join('\n  '));
    }
    if (nowMs - saidMs > slowMs) {
      say(`Waiting for ${words} ...`);
      saidMs = nowMs;
    }
    await sleep(pollMs);
  }
}
