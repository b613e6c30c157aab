// What a schedule must be: times that a cron expression can say, and a file of the data folder.
import { Cron } from 'croner';
import type { PipelineDocument } from './pipeline-schema.js';
import type { Report } from './pipeline-rules.js';

export function checkSchedule({ schedule }: Pick<PipelineDocument, 'schedule'>, report: Report): void {
  if (!schedule) return;
  if (!isCron(schedule.cron)) {
    const fields = 'minute hour day month weekday, seconds before them where there are six';
    report(['schedule', 'cron'], `must be a cron expression of five or six fields (${fields}), such as "0 3 * * *"`);
  }
  if (schedule.file.startsWith('/') || schedule.file.split('/').includes('..')) {
    report(['schedule', 'file'], "must be a path below the data folder's files/, without a leading / and without ..");
  }
}

function isCron(text: string): boolean {
  try {
    return new Cron(text, { paused: true, mode: '5-or-6-parts' }).nextRun() !== null;
  } catch {
    return false;
  }
}
