// A schedule over a clock that the test moves: what is missed runs once, nothing overlaps, and a crash in between repeats.
import { parsePipelineFile, type ScheduleMark, type StoredRun } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../problem.js';
import { newRun } from '../runs/fold-run.js';
import { CronTimes } from './cron-times.js';
import { Scheduler, type SchedulerOptions } from './scheduler.js';

const HOUR_MS = 3_600_000;
const text = `name: p
source: { columns: { c: { type: string, required: true } } }
views: { v: { group_by: [c], window: { type: upload }, features: { n: { count: "*" } }, redis: { key: "{c}" } } }
schedule: { cron: "0 * * * *", time_zone: America/Sao_Paulo, file: sub/dia.csv }
`;
const pipeline = parsePipelineFile(text, 'p.yaml');
const schedule = pipeline.schedule!;

function setUp(mark: ScheduleMark | undefined, now: number) {
  const runs: { id: string; runDate: string; open: boolean }[] = [];
  const refused: unknown[] = [];
  const state = { mark, now, problems: [] as Problem[], isMarkLost: false };
  const stop = new AbortController();
  const options = {
    pipeline,
    schedule,
    now: () => state.now,
    stop: stop.signal,
    log: { info: () => undefined, warn: () => undefined },
    store: {
      scheduleMark: () => state.mark,
      markSchedule: async (_name: string, next: ScheduleMark) => {
        if (!state.isMarkLost) state.mark = next;
      },
      unfinished: () =>
        runs
          .filter((run) => run.open)
          .map(({ id }) => {
            const made = newRun({
              id,
              pipeline: 'p',
              pipelineText: '',
              fileName: '',
              saveToDb: true,
              createdAtMs: 0,
              source: 'schedule',
            });
            return made as StoredRun;
          }),
      ended: async (): Promise<StoredRun | undefined> => {
        await sleep(1);
        return undefined;
      },
    },
    fileRuns: {
      receive: async ({ runDate }: { runDate?: string }) => {
        const problem = state.problems.shift();
        if (problem) throw problem;
        const id = String(runs.length);
        runs.push({ id, runDate: runDate!, open: true });
        return { run: id, duplicate: false, decided: Promise.resolve() };
      },
    },
    intake: { refuse: async (_arriving: unknown, error: unknown) => String(refused.push(error)) },
  };
  const running = new Scheduler(options as unknown as SchedulerOptions).run();
  const end = async () => {
    stop.abort();
    await running;
  };
  const until = async (check: () => boolean) => {
    while (!check()) await sleep(1);
  };
  return { runs, refused, state, end, until };
}

const at = Date.UTC(2026, 0, 2, 2, 30);
const markAt = (ms: number): ScheduleMark => ({ at: ms, cron: schedule.cron, time_zone: schedule.timeZone });

describe('Scheduler', () => {
  it('has missed nothing when it is new or changed', async () => {
    for (const before of [undefined, { ...markAt(at - 50 * HOUR_MS), cron: '0 0 * * *' }]) {
      const { runs, state, until, end } = setUp(before, at);
      await until(() => state.mark?.at === at);
      await end();
      expect([runs, state.mark]).toEqual([[], markAt(at)]);
    }
  });

  it('runs once for all the times that were missed, with the date of the latest in its zone', async () => {
    const { runs, state, until, end } = setUp(markAt(at - 10 * HOUR_MS), at);
    await until(() => state.mark!.at > at - HOUR_MS);
    runs[0]!.open = false;
    await end();
    // 02:00 UTC on the 2nd is 23:00 on the 1st.
    expect(runs).toEqual([{ id: '0', runDate: '2026-01-01', open: false }]);
    expect(state.mark).toEqual(markAt(Date.UTC(2026, 0, 2, 2)));
  });

  it('waits for a run that is under way, then runs once for what fell due meanwhile', async () => {
    const { runs, state, until, end } = setUp(markAt(at - HOUR_MS), at);
    await until(() => runs.length === 1);
    state.now += 5 * HOUR_MS;
    await sleep(20);
    expect(runs).toHaveLength(1);
    runs[0]!.open = false;
    await until(() => runs.length === 2);
    await end();
    expect(runs[1]).toMatchObject({ runDate: '2026-01-02' });
  });

  it('runs a time again whose mark a crash has cut off', async () => {
    const first = setUp(markAt(at - HOUR_MS), at);
    first.state.isMarkLost = true;
    await first.until(() => first.runs.length === 1);
    await first.end();
    const second = setUp(first.state.mark, at);
    await second.until(() => second.runs.length === 1);
    await second.end();
    expect(second.runs[0]!.runDate).toBe(first.runs[0]!.runDate);
  });

  it('makes a failed run of a file that is missing, and none of a fault that passes', async () => {
    const missing = setUp(markAt(at - HOUR_MS), at);
    missing.state.problems = [new Problem(404, 'file_missing', 'there is no such file')];
    await missing.until(() => missing.state.mark!.at > at - HOUR_MS);
    await missing.end();
    expect(missing.refused).toEqual([
      { code: 'file_missing', message: expect.stringContaining('sub/dia.csv'), retriable: false },
    ]);
    const away = setUp(markAt(at - HOUR_MS), at);
    away.state.problems = [new Problem(503, 'kafka_away', 'away')];
    await away.until(() => away.state.problems.length === 0);
    await sleep(5);
    await away.end();
    expect([away.refused, away.runs, away.state.mark]).toEqual([[], [], markAt(at - HOUR_MS)]);
  });
});

describe('CronTimes', () => {
  it('agrees with itself: between two times there is none', () => {
    for (const cron of ['0 3 * * *', '*/7 * * * *', '30 2 1 * *', '15,45 8-17 * * 1-5', '*/10 * * * * *']) {
      const times = new CronTimes({ cron, timeZone: 'America/Sao_Paulo' });
      for (let n = 0; n < 20; n++) {
        const from = at + n * 12_345_678;
        const next = times.next(from)!;
        expect(next).toBeGreaterThan(from);
        expect(times.latest(next)).toBe(next);
        expect(times.latest(next - 1)).toBeLessThanOrEqual(from);
      }
    }
  });

  it('keeps its hour when the clocks change', () => {
    const times = new CronTimes({ cron: '0 3 * * *', timeZone: 'Europe/Berlin' });
    expect(new Date(times.next(Date.UTC(2026, 2, 28, 12))!).toISOString()).toBe('2026-03-29T01:00:00.000Z');
    expect(new Date(times.next(Date.UTC(2026, 9, 24, 12))!).toISOString()).toBe('2026-10-25T02:00:00.000Z');
  });
});
