// More groups than the aggregator's memory may hold: it warns, ingest turns new uploads away, the task pauses and the
// process lives; with the bound raised it goes on where it was, and every result is exact.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KafkaRecord } from '#kafka';
import { Stack, until } from '../harness/stack.js';

const PIPELINE = `
name: grupos
source:
  columns:
    loja: { type: string, required: true }
    dia: { type: timestamp, required: true }
    valor: { type: integer }
  event_time: dia
views:
  total:
    group_by: [loja]
    window: { type: all_time }
    features: { linhas: { count: "*" }, soma: { sum: valor } }
    redis: { key: "{loja}" }
`;
const BY_DAY = PIPELINE.replace('name: grupos', 'name: dias')
  .replace('{ type: all_time }', '{ type: tumbling, size: 1d, grace: 0s }')
  .replace('"{loja}"', '"dia:{loja}"');
const isDeep = process.env.CAUDAL_DEEP === '1';
const LINES_AT_ONCE = 50_000;
const HASHES_AT_ONCE = 5_000;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'caudal-state-'));
  await writeFile(join(folder, 'grupos.yaml'), PIPELINE);
  await writeFile(join(folder, 'dias.yaml'), BY_DAY);
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

/** Each group twice, far from each other: of group i the values i and 1. */
function file(groups: number, from = 0): Buffer {
  const parts = ['loja,dia,valor\n'];
  for (const value of [null, 1]) {
    for (let i = from; i < from + groups; i += LINES_AT_ONCE) {
      const lines = Array.from({ length: Math.min(LINES_AT_ONCE, from + groups - i) }, (_, at) => i + at);
      parts.push(lines.map((group) => `loja ${group},2024-05-01,${value ?? group}\n`).join(''));
    }
  }
  return Buffer.from(parts.join(''));
}

async function wrongGroups(stack: Stack, groups: number): Promise<number> {
  let wrong = 0;
  for (let from = 0; from < groups; from += HASHES_AT_ONCE) {
    const some = Array.from({ length: Math.min(HASHES_AT_ONCE, groups - from) }, (_, at) => from + at);
    const pipeline = stack.redis.pipeline();
    for (const group of some) pipeline.hmget(`loja ${group}`, 'linhas', 'soma');
    const replies = (await pipeline.exec()) ?? [];
    some.forEach((group, at) => {
      const [rows, sum] = replies[at]![1] as [string, string];
      if (rows !== '2' || sum !== String(group + 1)) wrong++;
    });
  }
  return wrong;
}

const rounds = [
  // A step takes up to 10,000 rows at once, so there must be several.
  { name: 'a bound of 1 MB', groups: 40_000, small: [], env: { CAUDAL_STATE_MAX_BYTES: '1000000' } },
  // What the bound is for: a heap of 256 MiB, which so many groups would burst.
  ...(isDeep ? [{ name: 'a process of 256 MiB', groups: 400_000, small: ['--max-old-space-size=256'], env: {} }] : []),
];

describe.each(rounds)('more groups than fit: $name', ({ groups, small, env }) => {
  it('pauses, stays alive, and goes on when the bound is raised', async () => {
    const stack = await Stack.start({
      partitions: 2,
      pipelinesDir: folder,
      nodeArgs: { aggregator: small },
      env: env as Record<string, string>,
    });
    try {
      const aggregator = stack.service('aggregator');
      const sent = await stack.upload(file(groups), { pipeline: 'grupos', query: 'wait=0' });
      expect(sent.status).toBe(202);
      const health = () => fetch(`http://127.0.0.1:${aggregator.port}/health/ready`).then((answer) => answer.text());
      await until('both tasks to pause', async () => (await health()).match(/state_full/g)?.length === 2, 300_000);
      const refused = await until('uploads to be turned away', async () => {
        const answer = await stack.upload('loja,dia,valor\na,2024-05-01,1\n', { pipeline: 'grupos' });
        return answer.status === 503 ? answer : null;
      });
      expect(refused.body).toMatchObject({ code: 'state_full' });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      const metrics = await fetch(`http://127.0.0.1:${aggregator.port}/metrics`).then((answer) => answer.text());
      expect(metrics.match(/caudal_task_paused\{[^}]*pipeline="grupos"[^}]*\} 1/g)).toHaveLength(2);
      expect(aggregator.log).toContain('state has reached 90 % of its bound');
      // A pipeline of its own is not refused, nor is a rehearsal.
      const rehearsal = await stack.upload('loja,dia,valor\na,2024-05-01,1\n', {
        pipeline: 'grupos',
        query: 'save_to_db=false&wait=60',
      });
      expect(rehearsal.status).toBe(200);
      expect(aggregator.running).toBe(true);

      // Restored within the same bound it pauses again instead of bursting.
      await aggregator.kill('SIGTERM');
      aggregator.start();
      await until('a task to pause while it is restored', async () => (await health()).includes('state_full'), 300_000);
      await aggregator.kill('SIGTERM');
      aggregator.start(['--max-old-space-size=2048'], { CAUDAL_STATE_MAX_BYTES: String(2 ** 30) });
      expect((await stack.ended(sent.body.id!, 600_000)).body).toMatchObject({ state: 'completed' });
      expect(await wrongGroups(stack, groups)).toBe(0);
      await until('uploads to be taken again', async () => {
        const answer = await stack.upload('loja,dia,valor\na,2024-05-01,1\n', { pipeline: 'grupos' });
        return answer.status === 200;
      });
    } finally {
      await stack.stop();
    }
  }, 1_500_000);
});

/** Final feature records, by partition. */
async function finals(stack: Stack): Promise<number> {
  let count = 0;
  const onRecord = ({ value }: KafkaRecord) => {
    if (value?.includes('"final":true')) count++;
  };
  for (let partition = 0; partition < 2; partition++) {
    await stack.client.readPartition({ topic: stack.topics('dias').features, partition, onRecord });
  }
  return count;
}

if (isDeep) {
  it('closes a million windows by one control record without losing its session', async () => {
    const windows = 1_000_000;
    const stack = await Stack.start({
      partitions: 2,
      pipelinesDir: folder,
      nodeArgs: { aggregator: ['--max-old-space-size=3072'] },
    });
    try {
      const lines = ['loja,dia,valor\n'];
      for (let i = 0; i < windows; i++) lines.push(`loja ${i},2024-05-01,1\n`);
      const first = await stack.upload(Buffer.from(lines.join('')), { pipeline: 'dias', query: 'wait=0' });
      expect((await stack.ended(first.body.id!, 900_000)).body.state).toBe('completed');
      expect(await finals(stack)).toBe(0);
      const second = await stack.upload('loja,dia,valor\nfim,2024-05-05,1\n', { pipeline: 'dias', query: 'wait=0' });
      expect((await stack.ended(second.body.id!, 900_000)).body.state).toBe('completed');
      expect(await finals(stack)).toBe(windows);
      expect(stack.service('aggregator').log).not.toMatch(/task lost|task failed|task restarting/);
    } finally {
      await stack.stop();
    }
  }, 2_400_000);
}
