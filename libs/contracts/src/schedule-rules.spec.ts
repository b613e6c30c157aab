import { checkSchedule } from './schedule-rules.js';

function problemsOf(schedule: { cron?: string; file?: string }): string[] {
  const found: string[] = [];
  const whole = { cron: '0 3 * * *', time_zone: 'UTC', file: 'sub/dia.csv', save_to_db: true, ...schedule };
  checkSchedule({ schedule: whole }, (path) => found.push(path.join('.')));
  return found;
}

describe('checkSchedule', () => {
  it.each(['0 3 * * *', '*/10 * * * * *', '0 8-17 * * MON-FRI', '0 0 1 1 *'])('takes %s', (cron) => {
    expect(problemsOf({ cron })).toEqual([]);
  });

  it.each(['3 am', '61 * * * *', '* * * *', '0 0 31 2 *', '* * * * * * *'])('refuses %s', (cron) => {
    expect(problemsOf({ cron })).toEqual(['schedule.cron']);
  });

  it('wants a file of the data folder', () => {
    for (const file of ['/etc/passwd', '../x.csv', 'a/../../x.csv'])
      expect(problemsOf({ file })).toEqual(['schedule.file']);
    expect(problemsOf({ file: 'a..b.csv' })).toEqual([]);
  });
});
