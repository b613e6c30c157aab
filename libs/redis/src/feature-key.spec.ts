import { featureKey, type FeatureRecord, type Pipeline, type View } from '#contracts';
import { featureWritesOf, type FeatureMessage } from './feature-key.js';

const DAY_MS = 86_400_000;
const views: View[] = [
  {
    name: 'por_cidade',
    groupBy: ['cidade'],
    window: { type: 'upload' },
    features: [],
    redis: { key: '{cidade}', ttlMs: null },
  },
  {
    name: 'por_dia',
    groupBy: ['cidade'],
    window: { type: 'tumbling', sizeMs: DAY_MS, graceMs: null, timeZone: null, emit: 'updates' },
    features: [],
    redis: { key: '{view}:{cidade}:{window_start}', ttlMs: 10_000 },
  },
  {
    name: 'ultimo_dia',
    groupBy: ['cidade', 'uf'],
    window: { type: 'tumbling', sizeMs: DAY_MS, graceMs: null, timeZone: null, emit: 'updates' },
    features: [],
    redis: { key: 'dia:{cidade}:{uf}', ttlMs: null },
  },
  {
    name: 'semana',
    groupBy: ['cidade'],
    window: {
      type: 'hopping',
      sizeMs: 7 * DAY_MS,
      advanceMs: DAY_MS,
      graceMs: null,
      timeZone: 'America/Sao_Paulo',
      emit: 'updates',
    },
    features: [],
    redis: { key: 's:{cidade}:{window_start}:{window_end}', ttlMs: null },
  },
  {
    name: 'visitas',
    groupBy: ['cidade'],
    window: { type: 'session', gapMs: 1_000, graceMs: null, emit: 'updates' },
    features: [],
    redis: { key: 'v:{cidade}', ttlMs: null },
  },
];
const pipeline = { name: 'empresas', views } as unknown as Pipeline;
const toWrite = featureWritesOf(pipeline);

const record = (more: Partial<FeatureRecord>): FeatureRecord => ({
  view: 'por_cidade',
  key: { cidade: 'São Paulo' },
  window: { type: 'upload', start: null, end: null },
  features: { n: 1 },
  final: true,
  upload: 'run-1',
  stream_time: null,
  ...more,
});
const message = (key: string, value: FeatureRecord | null): FeatureMessage => ({
  key,
  record: value,
  offset: 7n,
  timestampMs: 1_000,
});

describe('featureWritesOf', () => {
  it('renders the key and carries the record', () => {
    expect(toWrite(message(featureKey('por_cidade', 'São Paulo', null), record({})), 1_500)).toEqual({
      key: 'São Paulo',
      owner: 'empresas/por_cidade',
      offset: 7n,
      updatedAtMs: 1_000,
      features: { n: 1 },
      upload: 'run-1',
      window: null,
      newestWindowOnly: false,
      remainingMs: null,
    });
  });

  it('gives windows, and the ttl less the age of the record', () => {
    const window = { type: 'tumbling', start: DAY_MS, end: 2 * DAY_MS } as const;
    const of = (nowMs: number) =>
      toWrite(message(featureKey('por_dia', 'x', DAY_MS), record({ view: 'por_dia', window })), nowMs);
    expect(of(4_000)).toMatchObject({
      key: `por_dia:São Paulo:${DAY_MS}`,
      window: { startMs: DAY_MS, endMs: 2 * DAY_MS },
      newestWindowOnly: false,
      remainingMs: 7_000,
    });
    expect(of(11_000)?.remainingMs).toBe(0);
    expect(of(0)?.remainingMs).toBe(10_000);
  });

  it('takes everything of a retraction from its key', () => {
    const write = toWrite(message(featureKey('ultimo_dia', '["S:P","SP"]', -DAY_MS), null), 0);
    expect(write).toMatchObject({
      key: 'dia:S%3AP:SP',
      features: null,
      window: { startMs: -DAY_MS, endMs: 0 },
      newestWindowOnly: true,
      upload: '',
    });
  });

  it('knows the end of a retracted window, but for a session', () => {
    // 1 to 8 November 2018: the clock went forward on the 4th, the week has an hour less.
    const start = Date.UTC(2018, 10, 1, 3);
    expect(toWrite(message(featureKey('semana', 'x', start), null), 0)).toMatchObject({
      key: `s:x:${start}:${Date.UTC(2018, 10, 8, 2)}`,
      newestWindowOnly: false,
    });
    expect(toWrite(message(featureKey('visitas', 'x', 5), null), 0)).toMatchObject({
      key: 'v:x',
      features: null,
      window: { startMs: 5, endMs: null },
      newestWindowOnly: true,
    });
  });

  it('has no place for records of views that are gone or were grouped otherwise', () => {
    expect(toWrite(message(featureKey('removed', 'x', null), record({ view: 'removed' })), 0)).toBeNull();
    expect(toWrite(message(featureKey('por_cidade', 'x', null), record({ key: { uf: 'SP' } })), 0)).toBeNull();
    expect(toWrite(message(featureKey('ultimo_dia', '["a"]', 0), null), 0)).toBeNull();
    expect(toWrite(message(featureKey('ultimo_dia', 'a', 0), null), 0)).toBeNull();
    expect(toWrite(message(featureKey('ultimo_dia', 'null', 0), null), 0)).toBeNull();
  });

  it('is not asked about control records', () => {
    expect(() => toWrite(message('\u0000end-of-upload', null), 0)).toThrow('control record');
  });
});
