// libs/kafka on a real broker: topics, transactions and fences, reads over every kind of tail.
import { KafkaError, type KafkaRecord, type OutRecord, type ReadProgress } from '#kafka';
import { cutConnections, SpecTopics, until } from './kafka-topics.js';

const topics = new SpecTopics();
const { client, prefix } = topics;
let compacted = '';

const out = (topic: string, value: string, partition = 0): OutRecord => ({ topic, partition, key: value, value });

/** Two keys over and over, each round its own transaction, so that compaction leaves empty batches and bare markers. */
async function writeForCompaction(): Promise<void> {
  compacted = await topics.make('compacted', 1, {
    'cleanup.policy': 'compact',
    'segment.ms': '100',
    'min.cleanable.dirty.ratio': '0.01',
    'delete.retention.ms': '0',
  });
  const producer = await client.openTransactional({ transactionalId: `${prefix}.compacted` });
  for (let round = 0; round < 12; round++) {
    const transaction = await producer.begin();
    await transaction.send([
      { topic: compacted, partition: 0, key: 'a', value: `a${round}` },
      { topic: compacted, partition: 0, key: 'b', value: `b${round}` },
    ]);
    if (round % 4 === 3) await transaction.abort();
    else await transaction.commit();
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  await producer.close();
}

beforeAll(async () => {
  await client.connect();
  await writeForCompaction();
});
afterAll(() => topics.close());

describe('topics', () => {
  it('are created once, whoever comes first, and have leaders then', async () => {
    const name = await topics.make('raced', 3, { 'retention.ms': '60000' });
    const other = topics.anotherClient();
    const specs = [{ name: `${name}2`, partitions: 2, config: {} }];
    await Promise.all([client.ensureTopics(specs), other.ensureTopics(specs), client.ensureTopics(specs)]);
    await other.close();
    expect(await client.partitionCount(name)).toBe(3);
    expect(await client.offsets(`${name}2`)).toEqual([
      { partition: 0, start: 0n, end: 0n },
      { partition: 1, start: 0n, end: 0n },
    ]);
    await client.deleteTopics([`${name}2`, `${prefix}.never-made`]);
    await until('the topic is gone', async () => !(await client.listTopics()).includes(`${name}2`));
  });

  it('of another size are refused, with the way out', async () => {
    const name = await topics.make('sized', 2);
    const ensured = client.ensureTopics([{ name, partitions: 4, config: {} }]);
    await expect(ensured).rejects.toMatchObject({
      code: 'partition_count_changed',
      retriable: false,
      message: expect.stringMatching(/has 2 partitions, the configuration says 4.*CAUDAL_PARTITIONS/),
    });
  });

  it('that do not exist are said to be unknown', async () => {
    await expect(client.partitionCount(`${prefix}.nowhere`)).rejects.toBeInstanceOf(KafkaError);
  });
});

describe('ping', () => {
  it('resolves while Kafka answers, and rejects in time when it does not', async () => {
    await client.ping(5000);
    const { KafkaClient } = await import('#kafka');
    const away = new KafkaClient({ brokers: ['127.0.0.1:1'], clientId: 'away' });
    await expect(away.ping(100)).rejects.toMatchObject({ code: 'kafka_unavailable', retriable: true });
    await expect(away.ping(100)).rejects.toMatchObject({ code: 'kafka_unavailable' });
  });
});

describe('transactions', () => {
  it('show all of their records once they are committed, and none when aborted', async () => {
    const topic = await topics.make('tx', 2);
    const producer = await client.openTransactional({ transactionalId: `${prefix}.tx` });
    const first = await producer.begin();
    const ranges = await first.send([out(topic, 'x', 0), out(topic, 'y', 1), out(topic, 'z', 0)]);
    expect(await topics.values(topic)).toEqual([]);
    await first.commit();
    const second = await producer.begin();
    await second.send([out(topic, 'aborted')]);
    await second.abort();
    const third = await producer.begin();
    const later = await third.send([{ topic, partition: 0, key: null, value: 'last', headers: { h: 'é' } }]);
    await third.commit();
    await producer.close();
    expect(ranges.sort((a, b) => a.partition - b.partition)).toEqual([
      { topic, partition: 0, baseOffset: 0n, count: 2 },
      { topic, partition: 1, baseOffset: 0n, count: 1 },
    ]);
    expect(later).toEqual([{ topic, partition: 0, baseOffset: 5n, count: 1 }]);
    const seen: KafkaRecord[] = [];
    const read = await client.readPartition({ topic, partition: 0, onRecord: (record) => void seen.push(record) });
    expect(seen.map(({ offset, value }) => [offset, String(value)])).toEqual([
      [0n, 'x'],
      [1n, 'z'],
      [5n, 'last'],
    ]);
    expect(seen[2]).toMatchObject({ key: null, headers: { h: Buffer.from('é') } });
    expect(read).toEqual({ next: 7n, records: 3 });
  });

  it('are sent in pieces that the broker accepts', async () => {
    const topic = await topics.make('large');
    const producer = await client.openTransactional({ transactionalId: `${prefix}.large` });
    const transaction = await producer.begin();
    const value = 'v'.repeat(200_000);
    const ranges = await transaction.send(Array.from({ length: 12 }, () => out(topic, value)));
    await transaction.commit();
    await producer.close();
    expect(ranges.length).toBeGreaterThan(3);
    expect(ranges.reduce((sum, { count }) => sum + count, 0)).toBe(12);
    expect(await topics.values(topic)).toHaveLength(12);
  });

  it('move a group, and only when they are committed', async () => {
    const topic = await topics.make('moved', 2);
    const groupId = `${prefix}.moved`;
    expect(await client.committedOffsets(groupId, topic)).toEqual(new Map());
    const producer = await client.openTransactional({ transactionalId: `${prefix}.moved` });
    const transaction = await producer.begin();
    await transaction.send([out(topic, 'x')]);
    await transaction.sendOffsets({ groupId, topic, partition: 1, offset: 42n });
    await transaction.commit();
    await producer.close();
    const committed = await until('the commit is there', async () => {
      const offsets = await client.committedOffsets(groupId, topic);
      return offsets.size > 0 && offsets;
    });
    expect(committed).toEqual(new Map([[1, 42n]]));
  });

  it('of a fenced producer show nothing, and the producer is broken', async () => {
    const topic = await topics.make('fenced');
    const transactionalId = `${prefix}.fenced`;
    const zombie = await client.openTransactional({ transactionalId });
    const open = await zombie.begin();
    await open.send([out(topic, 'zombie')]);
    const owner = await client.openTransactional({ transactionalId });
    await expect(open.send([out(topic, 'zombie too')])).rejects.toMatchObject({ code: 'fenced', retriable: true });
    expect(zombie.broken).toBe(true);
    await expect(open.commit()).rejects.toMatchObject({ code: 'producer_broken' });
    await expect(open.abort()).rejects.toMatchObject({ code: 'producer_broken' });
    await expect(zombie.begin()).rejects.toMatchObject({ code: 'producer_broken' });
    const transaction = await owner.begin();
    await transaction.send([out(topic, 'owner')]);
    await transaction.commit();
    await Promise.all([zombie.close(), owner.close()]);
    expect(await topics.values(topic)).toEqual(['owner']);
  });

  it('whose only send failed cannot be committed (kafkajs would resolve and send nothing)', async () => {
    const topic = await topics.make('trap');
    const producer = await client.openTransactional({ transactionalId: `${prefix}.trap` });
    const transaction = await producer.begin();
    const tooLarge = out(topic, 'x'.repeat(1_200_000)); // as key and as value: 2.4 MB in one batch
    await expect(transaction.send([tooLarge])).rejects.toMatchObject({ code: 'message_too_large', retriable: false });
    await expect(transaction.commit()).rejects.toMatchObject({ code: 'producer_broken' });
    await producer.close();
  });

  it('come one at a time, each ended once', async () => {
    const topic = await topics.make('one-at-a-time');
    const producer = await client.openTransactional({ transactionalId: `${prefix}.one` });
    const transaction = await producer.begin();
    await expect(producer.begin()).rejects.toMatchObject({ code: 'transaction_open', retriable: false });
    // Not awaited: the steps run one after the other all the same.
    const steps = [transaction.send([out(topic, '1')]), transaction.send([out(topic, '2')]), transaction.commit()];
    await Promise.all(steps);
    await expect(transaction.send([out(topic, '3')])).rejects.toMatchObject({ code: 'transaction_ended' });
    await producer.close();
    expect(await topics.values(topic)).toEqual(['1', '2']);
  });
});

describe('plain producers', () => {
  it('say where the records are', async () => {
    const topic = await topics.make('plain');
    const producer = await client.openProducer();
    await producer.send([out(topic, 'first')]);
    expect(await producer.send([out(topic, 'x'), out(topic, 'y')])).toEqual([
      { topic, partition: 0, baseOffset: 1n, count: 2 },
    ]);
    await producer.close();
    expect(await topics.values(topic, 0, 2n)).toEqual(['y']);
  });
});

describe('readPartition', () => {
  it('ends on an empty topic, behind markers only, and behind an aborted tail', async () => {
    const topic = await topics.make('tails');
    const read = () => client.readPartition({ topic, partition: 0, onRecord: () => undefined });
    expect(await read()).toEqual({ next: 0n, records: 0 });
    const producer = await client.openTransactional({ transactionalId: `${prefix}.tails` });
    const aborted = await producer.begin();
    await aborted.send(Array.from({ length: 50 }, (_, index) => out(topic, `aborted ${index}`)));
    await aborted.abort();
    // The coordinator answers before its marker stands in the log: a read at once may end in front of it.
    await until('the abort marker is there', async () => (await read()).next === 51n);
    expect(await read()).toEqual({ next: 51n, records: 0 });
    expect(await client.readPartition({ topic, partition: 0, from: 50n, onRecord: () => undefined })).toEqual({
      next: 51n,
      records: 0,
    });
    const open = await producer.begin();
    await open.send([out(topic, 'undecided')]);
    expect(await read()).toEqual({ next: 51n, records: 0 });
    await open.commit();
    await until('the commit marker is there', async () => (await read()).next === 53n);
    expect(await read()).toEqual({ next: 53n, records: 1 });
    await producer.close();
  });

  it('reads the range asked for, and ends when told to', async () => {
    const topic = await topics.make('range');
    const producer = await client.openProducer();
    await producer.send(Array.from({ length: 10 }, (_, index) => out(topic, String(index))));
    await producer.close();
    const values: string[] = [];
    const onRecord = (record: KafkaRecord): void | false => {
      values.push(String(record.value));
      return values.length === 5 ? false : undefined;
    };
    const progress: ReadProgress[] = [];
    const range = { topic, partition: 0, from: 2n, to: 5n };
    expect(await client.readPartition({ ...range, onRecord })).toEqual({ next: 5n, records: 3 });
    expect(await client.readPartition({ topic, partition: 0, from: 6n, onRecord })).toEqual({ next: 8n, records: 2 });
    expect(values).toEqual(['2', '3', '4', '6', '7']);
    const whole = { topic, partition: 0, to: 99n, onRecord: () => undefined };
    await client.readPartition({ ...whole, onProgress: (now) => void progress.push(now) });
    expect(progress.at(-1)).toEqual({ start: 0n, next: 10n, end: 10n, records: 10 });
    expect(await client.readPartition({ topic, partition: 0, from: 40n, onRecord })).toEqual({ next: 40n, records: 0 });
  });

  it('is called off by its signal', async () => {
    const topic = await topics.make('called-off');
    const signal = AbortSignal.abort();
    const read = client.readPartition({ topic, partition: 0, signal, onRecord: () => undefined });
    await expect(read).rejects.toMatchObject({ code: 'read_aborted', retriable: true });
  });
});

describe('tailPartition', () => {
  it('hands on every committed record once, in order, while it runs', async () => {
    const topic = await topics.make('tail');
    const producer = await client.openTransactional({ transactionalId: `${prefix}.tail` });
    const abort = new AbortController();
    const values: string[] = [];
    const tail = client.tailPartition({
      topic,
      partition: 0,
      from: 0n,
      signal: abort.signal,
      onRecords: (records) => void values.push(...records.map(({ value }) => String(value))),
    });
    for (let round = 0; round < 6; round++) {
      const transaction = await producer.begin();
      await transaction.send([out(topic, `r${round}`)]);
      await (round % 3 === 2 ? transaction.abort() : transaction.commit());
    }
    await until('the tail has seen r4', () => values.includes('r4'));
    abort.abort();
    await tail;
    await producer.close();
    expect(values).toEqual(['r0', 'r1', 'r3', 'r4']);
  });

  it('survives the loss of its connections, and misses and repeats nothing', async () => {
    const topic = await topics.make('cut-tail');
    const abort = new AbortController();
    const values: string[] = [];
    const codes: string[] = [];
    const tail = client.tailPartition({
      topic,
      partition: 0,
      from: 0n,
      signal: abort.signal,
      onRecords: (records) => void values.push(...records.map(({ value }) => String(value))),
      onError: ({ code }) => void codes.push(code),
    });
    for (const round of [0, 1, 2]) {
      const producer = await client.openProducer();
      await producer.send([out(topic, `${round}`)]);
      await producer.close();
      await until(`the tail has seen ${round}`, () => values.includes(`${round}`));
      expect(cutConnections()).toBeGreaterThan(0);
    }
    await until('the tail has noticed', () => codes.length > 0);
    abort.abort();
    await tail;
    expect(values).toEqual(['0', '1', '2']);
    expect(codes[0]).toBe('kafka_unavailable');
  });

  it('goes on at the start, and says so, when its position is not in the log', async () => {
    const topic = await topics.make('reset-tail');
    const producer = await client.openProducer();
    await producer.send([out(topic, 'x')]);
    await producer.close();
    const abort = new AbortController();
    const codes: string[] = [];
    await client.tailPartition({
      topic,
      partition: 0,
      from: 1000n,
      signal: abort.signal,
      onRecords: () => abort.abort(),
      onError: ({ code }) => void codes.push(code),
    });
    expect(codes).toEqual(['records_lost']);
  });

  it('ends with what its reader throws', async () => {
    const topic = await topics.make('thrown-tail');
    const producer = await client.openProducer();
    await producer.send([out(topic, 'x')]);
    await producer.close();
    const failure = new Error('the reader failed');
    const onRecords = (): Promise<void> => Promise.reject(failure);
    const { signal } = new AbortController();
    await expect(client.tailPartition({ topic, partition: 0, from: 0n, signal, onRecords })).rejects.toBe(failure);
  });
});

describe('a compacted log', () => {
  it('is restored to its last values, over emptied batches and markers, and read to its end', async () => {
    const read = async () => {
      const seen = new Map<string, string>();
      const onRecord = ({ key, value }: KafkaRecord): void => void seen.set(String(key), String(value));
      return { seen, ...(await client.readPartition({ topic: compacted, partition: 0, onRecord })) };
    };
    // 9 committed rounds of 2: fewer are left once the cleaner has run.
    const { seen, next } = await until(
      'the cleaner has run',
      async () => {
        const answer = await read();
        return answer.records < 18 && answer;
      },
      45_000,
    );
    expect([...seen]).toEqual([
      ['a', 'a10'],
      ['b', 'b10'],
    ]);
    expect(next).toBe((await client.offsets(compacted))[0]?.end);
  }, 60_000);
});
