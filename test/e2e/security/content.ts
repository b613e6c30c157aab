// What is in a request and what goes out again: framing, parameters, paths, cells, errors.
import { readdir, rename, symlink, writeFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { company, fileOf, HEADER } from '../../harness/companies.js';
import { rawExchange } from '../../harness/raw-request.js';
import type { Stack } from '../../harness/stack.js';
import { bearer, expectProblem, TOKENS, UPLOADS } from './guarded.js';

export function contentSpecs(stack: () => Stack): void {
  const post = (headers: string[], body = '') =>
    rawExchange(
      stack().service('ingest').port,
      [`POST ${UPLOADS} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${TOKENS.all}`, ...headers, '', body].join('\r\n'),
    );

  it('4.2.1 a body with two lengths is refused, whichever way it is given', async () => {
    const chunk = '1\r\nx\r\n0\r\n\r\n';
    const conflicts = [
      ['Content-Length: 5', 'Transfer-Encoding: chunked'],
      ['Transfer-Encoding: chunked', 'Content-Length: 5'],
      ['Content-Length: 5', 'Content-Length: 6'],
      ['Content-Length: 5, 6'],
      ['Content-Length: -1'],
      ['Transfer-Encoding: chunked, identity'],
      ['Transfer-Encoding : chunked'],
    ];
    for (const headers of conflicts) {
      const answer = await post(['Content-Type: text/csv', ...headers], chunk);
      expect([headers, answer.slice(0, 12)]).toEqual([headers, 'HTTP/1.1 400']);
      // One answer, and the connection is closed: what follows is not taken for another request.
      expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
      expect(answer).toContain('Connection: close');
    }
  });

  it('15.3.7 a parameter that comes twice, or that is not known, is refused', async () => {
    for (const query of ['wait=1&wait=2', 'save_to_db=true&save_to_db=false', 'wait[]=1', 'nada=1', 'wait=1&WAIT=1']) {
      expectProblem(await stack().upload('x', { query }), 400, 'bad_query');
    }
    expectProblem(await stack().request('/v1/runs?limit=1&limit=2'), 400, 'bad_query');
    expectProblem(await stack().request('/v1/runs?__proto__=1'), 400, 'bad_query');
  });

  it('5.3.2 files are kept under names of our own; what a sender calls them is data', async () => {
    const before = await readdir(stack().stateDir);
    const names = ['../../../fora.csv', '/etc/passwd', '..\\fora.csv', 'a\u0000b.csv', `${'n'.repeat(400)}.csv`];
    for (const [n, name] of names.entries()) {
      const form = new FormData();
      form.append('file', new Blob([fileOf([company(n, 'nomes')])]), name);
      const answer = await stack().request(`${UPLOADS}?wait=60`, { method: 'POST', body: form });
      expect([name, answer.status]).toEqual([name, 200]);
      expect(answer.body.file_name!.length).toBeLessThanOrEqual(255);
    }
    expect(await readdir(stack().stateDir)).toEqual(before);
    expect((await readdir(join(stack().stateDir, 'spool'))).filter((name) => !/^[0-9A-Z]{26}$/.test(name))).toEqual([]);
  }, 60_000);

  it('1.3.6, 15.3.2 an address names a pipeline or a run and never a path; nothing redirects', async () => {
    for (const path of [
      '/v1/pipelines/..%2f..%2fempresas/uploads',
      '/v1/pipelines/empresas%00/uploads',
      '/v1/runs/..%2f..%2fetc%2fpasswd',
      '/v1/runs/%2e%2e/uploads',
      '/..%2f..%2fetc/passwd',
    ]) {
      const method = path.endsWith('uploads') ? 'POST' : 'GET';
      const answer = await stack().request(path, {
        method,
        redirect: 'manual',
        headers: { 'content-type': 'text/csv' },
      });
      expect([path, answer.status]).toEqual([path, 404]);
    }
  });

  it('1.3.6 a run by name reads below its folder only: no way up, no other root, no link that leads out', async () => {
    const data = join(stack().stateDir, 'data');
    await writeFile(join(data, 'fora.csv'), fileOf([company(1, 'fora')]));
    await symlink(join(data, 'fora.csv'), join(data, 'files', 'link.csv'));
    await symlink(data, join(data, 'files', 'pasta'));
    for (const file of ['../fora.csv', join(data, 'fora.csv'), '/etc/passwd', 'link.csv', 'pasta/fora.csv']) {
      const body = JSON.stringify({ pipeline: 'empresas', file });
      const headers = { 'content-type': 'application/json' };
      const answer = await stack().request('/v1/runs', { method: 'POST', headers, body });
      expectProblem(answer, 400, 'outside');
      expect(answer.text).not.toContain(data);
    }
  });

  it('16.4.1 no cell is in a log, an error or a metric; dead letters alone hold it', async () => {
    const canary = 'CANARIO-7f3a9';
    const good = Array.from({ length: 40 }, (_, n) => company(n, canary));
    const bad = [
      company(1, canary, `x${canary}`),
      `${canary},${canary}`,
      `1,${canary},a,PE,1`,
      `1,2023-01-01,"${canary}"x,PE,1`,
    ];
    const answers = [
      await stack().upload(fileOf([...good, ...bad])),
      await stack().upload(fileOf(bad), { query: '' }),
      await stack().upload(fileOf([`"${canary}`]), { query: '' }),
      await stack().upload(`${HEADER}\n${canary}\u0000,,,,`, { query: '' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 422, 422, 422]);
    const { text: letters } = await stack().request(`/v1/runs/${answers[0]!.body.id}/dead-letters`);
    expect(letters).toContain(canary);
    for (const { text } of answers) expect(text).not.toContain(canary);
    for (const { name, port, log } of stack().services) {
      const metrics = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: bearer('reader') });
      expect([name, (await metrics.text()).includes(canary), log.includes(canary)]).toEqual([name, false, false]);
    }
  }, 60_000);

  it('16.4.1 no token and no password is in a log', () => {
    for (const { log } of stack().services) {
      for (const token of Object.values(TOKENS)) expect(log.includes(token)).toBe(false);
    }
  });

  it('1.2.10 cells that a spreadsheet would run are marked in exports, and raw elsewhere', async () => {
    const cells = ['=1+1', '+1', '-1', '@SUM(1)'];
    const good = Array.from({ length: 40 }, (_, n) => company(n, 'folha'));
    const { body } = await stack().upload(fileOf([...good, ...cells.map((cell) => `${cell},quando`)]));
    expect(body).toMatchObject({ state: 'completed', rows: { rejected: cells.length } });
    const path = `/v1/runs/${body.id}/dead-letters`;
    const json = (await stack().request(path)).body as unknown as { items: { raw: string }[] };
    expect(json.items.map((letter) => letter.raw)).toEqual(cells.map((cell) => `${cell},quando`));
    const csv = (await stack().request(path, { headers: { accept: 'text/csv' } })).text;
    for (const cell of cells) expect(csv).toContain(`'${cell},quando`);
    expect(csv).not.toMatch(/(^|[,"\n])[=+@]/);
  }, 60_000);

  it('16.5.1 an error inside tells nothing of the inside', async () => {
    const spool = join(stack().stateDir, 'spool');
    await rename(spool, `${spool}.aside`);
    await writeFile(spool, 'not a folder');
    try {
      const answer = await stack().upload(fileOf([company(1, 'dentro')]), { query: '' });
      expect(answer.status).toBe(500);
      expect(answer.text).not.toMatch(/ENOTDIR|EEXIST|node:|spool|\/tmp|at .*\.js/);
    } finally {
      await unlink(spool);
      await rename(`${spool}.aside`, spool);
    }
    expect((await stack().upload(fileOf([company(1, 'dentro')]))).status).toBe(200);
  }, 60_000);
}
