// What is decided and said while the services run: restarts, locks, lines for the terminal.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { tryLock } from '../../scripts/lock.mjs';
import { briefLine, briefReasons, originOf, whyHalted } from '../../scripts/services.mjs';
import { keepRunning, waitBeforeRestartMs, type Death } from '../../scripts/supervise.mjs';

describe('waitBeforeRestartMs', () => {
  const exit = (timeMs: number): Death => ({ timeMs, code: 1, signal: null });
  const signal = (timeMs: number, name: string): Death => ({ timeMs, code: null, signal: name });
  const waits = (deaths: Death[]): (number | undefined)[] =>
    deaths.map(({ timeMs }, at) => waitBeforeRestartMs(deaths.slice(0, at + 1), timeMs));

  it('waits longer with each death in a row and gives up at the fifth within a minute', () => {
    expect(waits([0, 1000, 2000, 3000, 4000].map(exit))).toEqual([500, 1000, 2000, 4000, undefined]);
    expect(waits([0, 1, 2, 3, 4].map((timeMs) => signal(timeMs, 'SIGABRT'))).at(-1)).toBeUndefined();
  });

  it('never gives up a program that others kill or ask to end', () => {
    const killed = [0, 1000, 2000, 3000, 4000, 5000].map((timeMs) => signal(timeMs, 'SIGKILL'));
    expect(waits(killed)).toEqual([500, 1000, 2000, 4000, 4000, 4000]);
    expect(waits([0, 1, 2, 3, 4].map((timeMs) => ({ timeMs, code: 0, signal: null }))).at(-1)).toBe(4000);
  });

  it('forgets deaths older than a minute', () => {
    expect(waitBeforeRestartMs([0, 1000, 2000, 3000, 62_999].map(exit), 62_999)).toBe(1000);
    expect(waitBeforeRestartMs([0, 1000, 2000, 3000, 63_000].map(exit), 63_000)).toBe(500);
  });
});

describe('keepRunning', () => {
  it('does not restart a service whose configuration is wrong, and shows its words', async () => {
    let restarts = 0;
    const program = {
      pid: 1,
      exited: Promise.resolve({ code: 2, signal: null }),
      lastLines: () => ['ingest cannot start:', 'CAUDAL_PARTITIONS="x" must be a whole number'],
      restart: async () => void restarts++,
    };
    const said: string[] = [];
    const kept = keepRunning({ name: 'ingest', program, say: (line) => said.push(line) });
    await expect(kept).rejects.toThrow(/^ingest did not start:\n {2}ingest cannot start:\n {2}CAUDAL_PARTITIONS/);
    expect([restarts, said]).toEqual([0, []]);
  });
});

describe('tryLock', () => {
  const dir = mkdtempSync(join(tmpdir(), 'caudal-lock-'));
  const file = join(dir, 'lock');
  afterAll(() => rmSync(dir, { recursive: true }));

  it('is held by one, named to the other, and free again after release, leaving nothing behind', () => {
    const lock = tryLock(file);
    expect(tryLock(file).holder?.pid).toBe(process.pid);
    lock.release?.();
    expect(readdirSync(dir)).toEqual([]);
    const again = tryLock(file);
    expect(again.holder).toBeUndefined();
    again.release?.();
  });

  it('is taken over from a process that is dead, with what it had noted', () => {
    const { pid } = spawnSync(process.execPath, ['--version']);
    writeFileSync(file, JSON.stringify({ pid, startTime: '1' }));
    const lock = tryLock(file);
    expect(lock).toMatchObject({ previous: { pid } });
    lock.release?.();
  });

  it('is taken over when the pid was given to another process since, or the file is torn', () => {
    for (const content of [JSON.stringify({ pid: process.pid, startTime: '1' }), '{"pid": 1']) {
      writeFileSync(file, content);
      const lock = tryLock(file);
      expect(lock.holder).toBeUndefined();
      lock.release?.();
    }
  });
});

describe('lines for the terminal', () => {
  const plainLine = (line: string): string | undefined => {
    const brief = briefLine('ingest', line);
    return brief && stripVTControlCharacters(brief); // colours, when Jest itself runs on a terminal
  };

  it('shows warnings and errors of a log, not the rest', () => {
    expect(plainLine('{"level":"info","msg":"up"}')).toBeUndefined();
    expect(plainLine('{"level":"warn","msg":"slow","err":{"message":"why"}}')).toBe('ingest WARN slow: why');
    expect(plainLine('{"level":"error","msg":"same","err":{"message":"same"}}')).toBe('ingest ERROR same');
    expect(plainLine('TypeError: x')).toBe('ingest TypeError: x');
    expect(plainLine('   ')).toBeUndefined();
    expect(plainLine('null')).toBeUndefined();
  });

  it('cuts what a service waits for to one short line', () => {
    expect(briefReasons(['kafka_away'])).toBe('kafka_away');
    expect(briefReasons([{ code: 'x' }, 'b', 'c'])).toBe('{"code":"x"} and 2 more');
    expect(briefReasons(['a'.repeat(101)])).toBe(`${'a'.repeat(100)}...`);
    expect(briefReasons([])).toBeUndefined();
    expect(briefReasons(undefined)).toBeUndefined();
  });

  it('tells why tasks have halted, each reason once, where nothing else is waited for', () => {
    const halted = (task: string, why: string): string => `task_halted: ${task} (${why})`;
    const changed = 'the key columns were k and are now g (see the docs)';
    const reasons = [halted('a/0', changed), halted('a/1', changed), halted('b/0', 'rows are lost')];
    expect(whyHalted(reasons)).toEqual([changed, 'rows are lost']);
    expect(whyHalted([...reasons, 'not_joined: a'])).toEqual([]);
    expect(whyHalted([])).toEqual([]);
    expect(whyHalted(undefined)).toEqual([]);
  });

  it('names an address that a client here can reach', () => {
    expect(originOf('127.0.0.1', 8080)).toBe('http://127.0.0.1:8080');
    expect(originOf('0.0.0.0', 8080)).toBe('http://127.0.0.1:8080');
    expect(originOf('::', 8080)).toBe('http://[::1]:8080');
    expect(originOf('example.org', 1)).toBe('http://example.org:1');
  });
});
