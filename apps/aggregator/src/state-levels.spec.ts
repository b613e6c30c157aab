// What is told of the memory: one record when a level changes, one when a task was acquired, and none otherwise.
import { jest } from '@jest/globals';
import { taskStateKey } from '#contracts';
import type { KafkaClient, OutRecord } from '#kafka';
import { AggregatorMetrics, createLogger } from '#runtime';
import { StateBudget } from './state-budget.js';
import { StateLevels } from './state-levels.js';

const task = { pipeline: 'sales', stage: 'rows', partition: 2 } as const;
const key = taskStateKey('sales', 'rows', 2);

function levelsOver(budget: StateBudget) {
  const told: OutRecord[] = [];
  const faults: Error[] = [];
  const producer = {
    send: async (records: OutRecord[]) => {
      const fault = faults.shift();
      if (fault) throw fault;
      told.push(...records);
    },
    close: async () => {},
  };
  const metrics = new AggregatorMetrics();
  const levels = new StateLevels({
    client: { openProducer: async () => producer } as unknown as KafkaClient,
    prefix: 't',
    budget,
    metrics,
    logger: createLogger({ service: 'aggregator', level: 'silent' }),
  });
  return { levels, told, faults, metrics };
}

describe('StateLevels', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it('tells what an acquired task is, then changes alone', async () => {
    const budget = new StateBudget(1_000);
    const share = budget.share('sales/2');
    const { levels, told, faults, metrics } = levelsOver(budget);
    levels.start();
    levels.acquired(task);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(told.splice(0)).toEqual([{ topic: 't.runs', partition: 0, key, value: null }]);
    share.set(899);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(told).toEqual([]);
    share.set(900);
    faults.push(new Error('Kafka is away'));
    await jest.advanceTimersByTimeAsync(5_000);
    expect(told.splice(0).map(({ value }) => JSON.parse(value as string))).toEqual([
      { level: 'warn', bytes: 900, max_bytes: 1_000 },
    ]);
    expect(() => share.assertRoom()).not.toThrow();
    share.set(1_000);
    expect(() => share.assertRoom()).toThrow('sales/2 has paused');
    share.set(0);
    levels.paused(task);
    await jest.advanceTimersByTimeAsync(0);
    expect(told.splice(0).map(({ value }) => JSON.parse(value as string).level)).toEqual(['full']);
    expect(await metrics.text()).toMatch(/caudal_task_paused\{[^}]*partition="2"[^}]*\} 1/);
    await levels.close();
  });

  it('says nothing of a task that another process has', async () => {
    const budget = new StateBudget(1_000);
    const { levels, told, metrics } = levelsOver(budget);
    levels.start();
    levels.acquired(task);
    await jest.advanceTimersByTimeAsync(0);
    levels.lost(task);
    budget.share('other').set(950);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(told).toHaveLength(1);
    expect(await metrics.text()).not.toMatch(/caudal_task_paused\{/);
    await levels.close();
  });
});
