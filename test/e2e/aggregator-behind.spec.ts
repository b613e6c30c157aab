// An aggregator that is away for nearly as long as rows are kept: new files are turned away until it has caught up.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { company, fileOf } from '../harness/companies.js';
import { Stack, until } from '../harness/stack.js';

describe('an aggregator that is behind', () => {
  let dir: string;
  let stack: Stack;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-behind-'));
    const text = await readFile('pipelines/empresas.yaml', 'utf8');
    await writeFile(join(dir, 'empresas.yaml'), `${text}retention: { rows: 5s }\n`);
    stack = await Stack.start({ pipelinesDir: dir });
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  it('503 `aggregator_behind` while its oldest unread row nears the retention; a rehearsal is let in', async () => {
    const aggregator = stack.service('aggregator');
    await aggregator.kill();
    const kept = await stack.upload(fileOf([company(1, 'espera')]), { query: '' });
    expect(kept.status).toBe(202);
    let n = 1;
    const refused = await until('a file to be turned away', async () => {
      const answer = await stack.upload(fileOf([company(++n, 'espera')]), { query: '' });
      return answer.status === 503 ? answer : null;
    });
    expect(refused.body).toMatchObject({ code: 'aggregator_behind' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await mkdir(join(stack.stateDir, 'data', 'files'), { recursive: true });
    await writeFile(join(stack.stateDir, 'data', 'files', 'espera.csv'), fileOf([company(++n, 'espera')]));
    const body = JSON.stringify({ pipeline: 'empresas', file: 'espera.csv' });
    const headers = { 'content-type': 'application/json' };
    const byName = await stack.request('/v1/runs', { method: 'POST', headers, body });
    expect([byName.status, byName.body.code]).toEqual([503, 'aggregator_behind']);
    const rehearsal = await stack.upload(fileOf([company(1, 'ensaio')]), { query: 'wait=60&save_to_db=false' });
    expect(rehearsal.body).toMatchObject({ state: 'completed' });
    aggregator.start();
    await aggregator.ready();
    expect((await stack.ended(kept.body.id!)).body).toMatchObject({ state: 'completed' });
    await until('files to be taken again', async () => {
      return (await stack.upload(fileOf([company(++n, 'depois')]), { query: '' })).status === 202;
    });
  }, 120_000);
});
