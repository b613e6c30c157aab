// When a schedule is due: the times of a cron expression in its zone.
import type { Schedule } from '#contracts';
import { Cron } from 'croner';

export class CronTimes {
  private readonly cron: Cron;

  constructor(schedule: Pick<Schedule, 'cron' | 'timeZone'>) {
    this.cron = new Cron(schedule.cron, { timezone: schedule.timeZone, paused: true, mode: '5-or-6-parts' });
  }

  /** The latest time at or before `ms`; null when there was none. */
  latest(ms: number): number | null {
    // Croner's are strictly before.
    return this.cron.previousRuns(1, new Date(ms + 1))[0]?.getTime() ?? null;
  }

  /** The first time after `ms`; null when there is none any more. */
  next(ms: number): number | null {
    return this.cron.nextRun(new Date(ms))?.getTime() ?? null;
  }
}
