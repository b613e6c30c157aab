import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { parsePipelineFile, rowEncoder, type StoredRun } from '#contracts';
import type { RedisStore } from '#redis';
import type { RunParts } from '../runs/run-parts.js';
import { TypedFileWriter } from '../uploads/typed-file.js';
import { Rehearsal, type RehearsalDocument } from './rehearse.js';

const pipeline = parsePipelineFile(readFileSync('pipelines/empresas.yaml', 'utf8'), 'empresas.yaml');
const run = { id: 'R' } as StoredRun;

describe('Rehearsal', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-rehearse-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  const typedFile = async (rows: [city: string, capital: string | null][]) => {
    const path = join(dir, 'typed');
    const encode = rowEncoder(pipeline);
    const writer = await TypedFileWriter.create(path);
    rows.forEach(([city, capital], n) => {
      const json = encode([`c${n}`, '2023-01-01T00:00:00.000Z', city, 'PE', capital], 'R', n + 1, 0);
      writer.accepted(0, n + 1, 0, city, json);
    });
    writer.rejected(rows.length + 1, '{}');
    await writer.close();
    return path;
  };
  type Hash = Record<string, string> | 'wrong_type';
  const rehearse = async (rows: [string, string | null][], held: Record<string, Hash>): Promise<RehearsalDocument> => {
    const redis = {
      readHashes: async (keys: string[]) =>
        keys.map((key) => {
          const hash = held[key];
          if (hash === undefined) return null;
          return hash === 'wrong_type' ? hash : new Map(Object.entries(hash));
        }),
      async *scanView() {
        const keys = Object.keys(held);
        yield keys;
        // A scan may give a key twice.
        yield keys.slice(0, 1);
      },
    } as unknown as RedisStore;
    let kept: object = {};
    const parts = {
      write: async (_run: string, document: object) => {
        kept = document;
        return { partition: 0, from: '0', to: '1' };
      },
    } as unknown as RunParts;
    await new Rehearsal(redis, parts).run(run, pipeline, await typedFile(rows), () => false);
    return kept as RehearsalDocument;
  };
  const values = (count: string, avg: string, sum: string) => ({
    quantidade_empresas: count,
    capital_social_medio: avg,
    capital_social_total: sum,
  });

  it('computes the file alone, rejected rows left out', async () => {
    const { result, diff } = await rehearse(
      [
        ['A', '1'],
        ['A', '2'],
        ['B', null],
      ],
      {},
    );
    expect(result.empresas_por_cidade).toEqual([
      {
        key: { cidade: 'A' },
        window: { type: 'upload', start: null, end: null },
        features: { quantidade_empresas: 2, capital_social_medio: '1.5', capital_social_total: '3' },
      },
      expect.objectContaining({
        features: { quantidade_empresas: 1, capital_social_medio: null, capital_social_total: null },
      }),
    ]);
    expect(result.aberturas_por_dia).toHaveLength(2);
    expect(diff.aberturas_por_dia).toEqual({ not_comparable: true });
  });

  it('compares group by group and feature by feature', async () => {
    const rows: [string, string | null][] = [
      ['same', '1'],
      ['more', '5'],
      ['null', null],
      ['new', '9'],
    ];
    const { diff } = await rehearse(rows, {
      same: { ...values('1', '1', '1'), _view: 'empresas/empresas_por_cidade', _upload: 'other' },
      more: values('1', '4', '4'),
      null: { quantidade_empresas: '1' },
      gone: values('3', '3', '9'),
    });
    expect(diff.empresas_por_cidade).toEqual({
      added: 1,
      changed: 1,
      unchanged: 2,
      missing: 1,
      items: [
        { key: { cidade: 'more' }, feature: 'capital_social_medio', old: '4', new: '5' },
        { key: { cidade: 'more' }, feature: 'capital_social_total', old: '4', new: '5' },
        { key: { cidade: 'new' }, feature: 'quantidade_empresas', old: null, new: 1 },
        { key: { cidade: 'new' }, feature: 'capital_social_medio', old: null, new: '9' },
        { key: { cidade: 'new' }, feature: 'capital_social_total', old: null, new: '9' },
      ],
    });
  });

  it('tells counts as numbers, whatever Redis holds as text', async () => {
    const rows: [string, string | null][] = [
      ['more', '5'],
      ['odd', '5'],
    ];
    const { diff } = await rehearse(rows, { more: values('4', '5', '5'), odd: values('many', '5', '5') });
    expect(diff.empresas_por_cidade).toMatchObject({
      items: [
        { key: { cidade: 'more' }, feature: 'quantidade_empresas', old: 4, new: 1 },
        { key: { cidade: 'odd' }, feature: 'quantidade_empresas', old: 'many', new: 1 },
      ],
    });
  });

  it('takes keys of another type or of another view for nothing', async () => {
    const { diff } = await rehearse(
      [
        ['list', '1'],
        ['theirs', '1'],
      ],
      {
        list: 'wrong_type',
        theirs: { ...values('1', '1', '1'), _view: 'outra/vista' },
      },
    );
    expect(diff.empresas_por_cidade).toMatchObject({ added: 2, changed: 0, unchanged: 0 });
  });
});
