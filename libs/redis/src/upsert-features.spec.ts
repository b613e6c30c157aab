import type { FeatureWrite } from './feature-key.js';
import {
  isAlreadyPassed,
  markerAfter,
  readMarkerReply,
  readPassReply,
  readUpsertReply,
  scriptCalls,
  upsertArguments,
  type UpsertBatch,
} from './upsert-features.js';

const write = (offset: bigint, more: Partial<FeatureWrite> = {}): FeatureWrite => ({
  key: `k${offset}`,
  owner: 'p/v',
  offset,
  updatedAtMs: 5,
  features: { n: 1, gone: null },
  upload: 'run',
  window: null,
  newestWindowOnly: false,
  remainingMs: null,
  ...more,
});
const batch = (more: Partial<UpsertBatch> = {}): UpsertBatch => ({
  marker: { prefix: 'x', pipeline: 'p', partition: 0 },
  generation: 9,
  expected: { generation: 9, offset: 4n },
  fromBeginning: false,
  nextOffset: 6n,
  writes: [write(3n), write(4n, { remainingMs: 1.5, window: { startMs: -2, endMs: 8 }, newestWindowOnly: true })],
  ...more,
});

describe('upsertArguments', () => {
  it('stand in the order that the script reads', () => {
    const { keys, args } = upsertArguments(batch());
    expect(keys).toEqual([
      'caudal:writer:x:p:0',
      'caudal:writer:x:p:0:failed',
      'k3',
      'caudal:gone:{k3}',
      'k4',
      'caudal:gone:{k4}',
    ]);
    expect(args.slice(0, 7)).toEqual(['9', '4', '9', '6', '0', '86400000', '100']);
    const fields = ['2', 'n', '1', '1', 'gone'];
    expect(args.slice(7, 22)).toEqual(['write', '0', 'p/v', '3', '0', '', '', 'run', '5', '', ...fields]);
    expect(args.slice(22)).toEqual(['write', '1', 'p/v', '4', '1', '-2', '8', 'run', '5', '2', ...fields]);
  });

  it('say what kind an item is', () => {
    const kind = (more: Partial<FeatureWrite>) => upsertArguments(batch({ writes: [write(4n, more)] })).args[7];
    expect(kind({ features: null, remainingMs: -1 })).toBe('delete');
    expect(kind({ remainingMs: 0 })).toBe('expired');
    expect(kind({ remainingMs: 0.5 })).toBe('write');
    expect(kind({ key: 'caudal:gone:x', features: null })).toBe('reserved');
    expect(kind({ key: 'caudal-like' })).toBe('write');
  });
});

describe('the marker of a batch', () => {
  it('never moves back', () => {
    expect(markerAfter(batch({ nextOffset: 3n }))).toEqual({ generation: 9, offset: 4n });
    expect(markerAfter(batch())).toEqual({ generation: 9, offset: 6n });
  });

  it('is replaced from the beginning, however far it was', () => {
    const replaced = batch({ fromBeginning: true, nextOffset: 1n, expected: { generation: 3, offset: 99n } });
    expect(markerAfter(replaced)).toEqual({ generation: 9, offset: 1n });
    expect(upsertArguments(replaced).args[8]).toBe('1');
  });

  it('is not made up in the middle of a log', () => {
    expect(() => markerAfter(batch({ expected: null }))).toThrow('beginning');
    expect(() => markerAfter(batch({ expected: { generation: 8, offset: 4n } }))).toThrow('generation 8');
    expect(() => isAlreadyPassed(batch({ expected: null }))).toThrow('beginning');
  });

  it('has passed what lies below it', () => {
    expect(isAlreadyPassed(batch({ nextOffset: 4n }))).toBe(true);
    expect(isAlreadyPassed(batch({ nextOffset: 5n }))).toBe(false);
    expect(isAlreadyPassed(batch({ nextOffset: 1n, expected: null, fromBeginning: true }))).toBe(false);
  });
});

describe('the answer', () => {
  it('gives a status per write and the marker with its counts', () => {
    expect(readUpsertReply(batch(), ['written', 'ws', 7, 2, 1])).toEqual({
      outcome: 'written',
      statuses: ['written', 'superseded'],
      marker: { generation: 9, offset: 6n, written: 7, superseded: 2, failed: 1 },
    });
    expect(readUpsertReply(batch(), ['moved'])).toEqual({ outcome: 'moved' });
  });

  it('that is an error is thrown', () => {
    const refused = ['error', '@user_script: 3: -OOM command not allowed'];
    const error = expect.objectContaining({ code: 'redis_refused', retriable: true });
    expect(() => readUpsertReply(batch(), refused)).toThrow(error);
    expect(() => readPassReply(batch(), refused)).toThrow(error);
    expect(() => readMarkerReply(refused)).toThrow(error);
  });

  it.each([null, 'OK', ['written', 'w', 1, 0, 0], ['written', 'wq', 1, 0, 0], ['what']])('is never %j', (reply) => {
    const strange = expect.objectContaining({ code: 'redis_refused', retriable: false });
    expect(() => readUpsertReply(batch(), reply)).toThrow(strange);
    expect(() => readPassReply(batch(), reply)).toThrow(strange);
    expect(() => readMarkerReply(reply)).toThrow(strange);
  });
});

describe('scriptCalls', () => {
  it('leaves a batch whole that one command can carry', () => {
    expect(scriptCalls(batch())).toEqual([batch()]);
    expect(scriptCalls(batch({ writes: [] }))).toEqual([batch({ writes: [] })]);
  });

  it('cuts behind a record, each part to where the next begins', () => {
    const features = Object.fromEntries(Array.from({ length: 60_000 }, (_, at) => [`f${at}`, at]));
    const writes = [4n, 6n, 9n].map((offset) => write(offset, { features }));
    const parts = scriptCalls(batch({ writes, nextOffset: 20n }));
    expect(parts.map((part) => [part.writes.map(({ offset }) => offset), part.nextOffset])).toEqual([
      [[4n], 6n],
      [[6n], 9n],
      [[9n], 20n],
    ]);
  });
});
