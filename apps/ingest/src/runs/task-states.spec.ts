// The worst of a pipeline's tasks is what an upload is answered by.
import { taskStateKey } from '#contracts';
import type { KafkaRecord } from '#kafka';
import { TaskStates } from './task-states.js';

const record = (key: string, value: object | null) =>
  ({ key: Buffer.from(key), value: value && Buffer.from(JSON.stringify(value)) }) as KafkaRecord;

describe('TaskStates', () => {
  it('follows levels by task, until they are taken back', () => {
    const states = new TaskStates();
    const warn = { level: 'warn', bytes: 9, max_bytes: 10 };
    const full = { level: 'full', bytes: 10, max_bytes: 10 };
    expect(states.load(record('01ABC', {}))).toBe(false);
    expect(states.load(record(taskStateKey('p', 'rows', 0), warn))).toBe(true);
    expect([states.worst('p'), states.worst('q')]).toEqual([warn, null]);
    states.load(record(taskStateKey('p', 'partials', 0), full));
    expect(states.worst('p')).toEqual(full);
    states.load(record(taskStateKey('p', 'partials', 0), null));
    states.load(record(taskStateKey('p', 'rows', 0), null));
    expect(states.worst('p')).toBeNull();
  });
});
