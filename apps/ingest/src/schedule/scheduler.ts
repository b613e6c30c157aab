// `schedule`: a file below `CAUDAL_DATA_DIR/files` is run at its times. One after the other: what fell due while a run was
// under way, or while ingest was down, runs once, for the latest of those times. The last time that was seen to is kept in
// `caudal.runs`.
import type { Pipeline, Schedule, ScheduleMark } from '#contracts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FileRun, FileRuns } from '../files/file-runs.js';
import { Problem } from '../problem.js';
import type { RunStore } from '../runs/run-store.js';
import { dayIn, type Intake } from '../uploads/intake.js';
import { CronTimes } from './cron-times.js';

export interface SchedulerOptions {
  pipeline: Pipeline;
  schedule: Schedule;
  fileRuns: Pick<FileRuns, 'receive'>;
  intake: Pick<Intake, 'refuse'>;
  store: Pick<RunStore, 'scheduleMark' | 'markSchedule' | 'unfinished' | 'ended'>;
  now: () => number;
  stop: AbortSignal;
  log: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

/** The clock is asked so often: it may have been moved, or the machine may have slept. */
const LOOK_MS = 30_000;
const RETRY_MS = 5_000;

export class Scheduler {
  private readonly times: CronTimes;

  constructor(private readonly options: SchedulerOptions) {
    this.times = new CronTimes(options.schedule);
  }

  /** Runs until `stop` aborts; never rejects. */
  async run(): Promise<void> {
    const { stop, log, pipeline } = this.options;
    while (!stop.aborted) {
      let waitMs = RETRY_MS;
      try {
        waitMs = await this.look();
      } catch (error) {
        if (!stop.aborted)
          log.warn({ err: error, pipeline: pipeline.name }, 'the schedule could not go on; it is tried again');
      }
      await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }

  /** Sees to what is due; answers how long to wait for the next look. */
  private async look(): Promise<number> {
    const { store, now, pipeline } = this.options;
    const mark = store.scheduleMark(pipeline.name);
    // A new schedule has missed nothing, a changed one neither.
    if (!mark || !this.isOf(mark)) await this.markSeen(now());
    else {
      const due = this.times.latest(now());
      if (due !== null && due > mark.at) {
        await this.runOnce(due);
        return 0;
      }
    }
    const next = this.times.next(now());
    return next === null ? LOOK_MS : Math.min(Math.max(next - now(), 1), LOOK_MS);
  }

  private isOf(mark: ScheduleMark): boolean {
    const { schedule } = this.options;
    return mark.cron === schedule.cron && mark.time_zone === schedule.timeZone;
  }

  private async markSeen(at: number): Promise<void> {
    const { store, pipeline, schedule } = this.options;
    await store.markSchedule(pipeline.name, { at, cron: schedule.cron, time_zone: schedule.timeZone });
  }

  /** From the file to its run's end. A crash before the mark runs the time again: the same bytes are known then. */
  private async runOnce(due: number): Promise<void> {
    const { pipeline, schedule, fileRuns, log } = this.options;
    await this.earlierEnded();
    const runDate = dayIn(schedule.timeZone, due);
    const run = { pipeline, file: schedule.file, saveToDb: schedule.saveToDb, source: 'schedule', runDate } as const;
    log.info(
      { pipeline: pipeline.name, due: new Date(due).toISOString(), run_date: runDate },
      'a scheduled run begins',
    );
    try {
      const placed = await fileRuns.receive(run);
      placed.decided.catch(() => undefined);
      if (placed.duplicate) {
        log.info({ pipeline: pipeline.name, run: placed.run }, 'the scheduled file has not changed: its run is known');
      }
    } catch (error) {
      if (!(error instanceof Problem) || error.status >= 500) throw error;
      // A run of this time has begun and failed, or there is none yet: a file that is not there, say.
      if (error.members.run === undefined) await this.refuse(run, error);
    }
    await this.markSeen(due);
    await this.earlierEnded();
  }

  private async refuse(run: FileRun, problem: Problem): Promise<void> {
    const { file, ...arriving } = run;
    const message = `the scheduled file "${file}" (below the data folder's files/) could not be taken: ${problem.detail}`;
    const fileName = file.split('/').at(-1)!.slice(0, 255);
    await this.options.intake.refuse({ ...arriving, fileName }, { code: problem.code, message, retriable: false });
  }

  /** No overlap, also with a run from before a restart. An interrupted one waits for a person: it is passed over. */
  private async earlierEnded(): Promise<void> {
    const { store, pipeline, stop } = this.options;
    for (;;) {
      const under = store
        .unfinished()
        .find(
          (run) => run.pipeline === pipeline.name && run.internal.source === 'schedule' && run.state !== 'interrupted',
        );
      if (!under) return;
      await store.ended(under.id, RETRY_MS, stop);
      stop.throwIfAborted();
    }
  }
}
