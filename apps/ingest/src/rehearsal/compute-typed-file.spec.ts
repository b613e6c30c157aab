// A rehearsal's computation: with order event_time windows close every 1,000 records, as they would behind a publisher.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePipelineFile } from '#contracts';
import { TypedFileWriter } from '../uploads/typed-file.js';
import { computeTypedFile } from './compute-typed-file.js';

const pipelineOf = (order: string) =>
  parsePipelineFile(
    `
name: lojas
source:
  columns: { cidade: { type: string, required: true }, quando: { type: timestamp, required: true } }
  event_time: quando
  order: ${order}
views:
  por_minuto:
    group_by: [cidade]
    window: { type: tumbling, size: 1m, grace: 0s }
    features: { linhas: { count: "*" } }
    redis: { key: "m:{cidade}:{window_start}" }
  visitas:
    group_by: [cidade]
    window: { type: session, gap: 10s, grace: 0s, emit: final }
    features: { linhas: { count: "*" } }
    redis: { key: "v:{cidade}" }
`,
    'lojas.yaml',
  );

describe('computeTypedFile', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-compute-'));
  });
  afterAll(() => rm(dir, { recursive: true }));

  /** Second n is row n, but for the last record, which is of the first second; record 500 is rejected. */
  async function compute(order: string) {
    const path = join(dir, 'typed');
    const writer = await TypedFileWriter.create(path);
    for (let row = 1; row <= 1_100; row++) {
      const time = row === 1_100 ? 1_000 : row * 1_000;
      if (row === 500) writer.rejected(row, '{}');
      else writer.accepted(0, row, time, 'A', `{"cidade":"A","_upload":"R","_row":${row},"_time":${time}}`);
    }
    await writer.close();
    const computation = await computeTypedFile(pipelineOf(order), path);
    const results = [...computation.results()].map(({ view, window, features, final }) => [
      view,
      window.start! / 1_000,
      window.end! / 1_000,
      features.linhas,
      final,
    ]);
    return { late: computation.late, results };
  }

  it('takes every row where a file is a set', async () => {
    const { late, results } = await compute('any');
    expect(late).toEqual({ late: 0, late_by_view: {} });
    expect(results).toHaveLength(19 + 1);
    expect(results[0]).toEqual(['por_minuto', 0, 60, 60, false]);
    expect(results.at(-1)).toEqual(['visitas', 1, 1_109, 1_099, false]);
  });

  it('closes on the way where a file is in the order of its time, and says what was late', async () => {
    const { late, results } = await compute('event_time');
    expect(late).toEqual({ late: 1, late_by_view: { por_minuto: 1 } });
    // Stream time is 1,000 s behind record 1,000: 16 minutes are closed. The session is open, and covers the last row.
    expect(results).toHaveLength(19 + 1);
    expect(results.filter(([, , , , final]) => final)).toHaveLength(16);
    expect(results[0]).toEqual(['por_minuto', 0, 60, 59, true]);
    expect(results.at(-1)).toEqual(['visitas', 1, 1_109, 1_099, false]);
  });
});
