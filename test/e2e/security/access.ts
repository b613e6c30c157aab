// Who may do what: asked before a byte of a body is read, on each of the three services.
import { company, fileOf } from '../../harness/companies.js';
import { RawUpload, rawExchange } from '../../harness/raw-request.js';
import type { Stack } from '../../harness/stack.js';
import { bearer, expectProblem, TOKENS, UPLOADS, type TokenName } from './guarded.js';

export function accessSpecs(stack: () => Stack): void {
  const ask = (path: string, method: string, name?: TokenName) =>
    stack().request(path, { method, headers: { authorization: '', 'content-type': 'text/csv', ...bearer(name) } });
  const RUN = '0'.repeat(26);

  it('13.2.1 each service asks for a token, health alone is open', async () => {
    for (const { name, port } of stack().services) {
      const get = (path: string, authorization = '') =>
        fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization } });
      for (const path of ['/health/live', '/health/ready'])
        expect([name, (await get(path)).status]).toEqual([name, 200]);
      for (const path of ['/metrics', '/', '/nothing', '/health', '/health/', '/health/live/x', '//health/live']) {
        const answer = await get(path);
        expect([name, path, answer.status]).toEqual([name, path, 401]);
        expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="caudal"');
        expect(await answer.json()).toMatchObject({ status: 401, code: 'unauthorized' });
      }
      expect((await get('/metrics', `Bearer ${TOKENS.reader}`)).status).toBe(200);
      expect((await get('/metrics', `Bearer ${TOKENS.sender}`)).status).toBe(403);
      expect((await get('/nothing', `bearer   ${TOKENS.reader}`)).status).toBe(404);
    }
  });

  it('13.2.1 a wrong token is told so, whatever it resembles', async () => {
    const wrong = [
      'x'.repeat(40),
      TOKENS.all.slice(1),
      `${TOKENS.all}x`,
      TOKENS.all.toUpperCase(),
      `all:read:${TOKENS.all}`,
    ];
    for (const authorization of [...wrong.map((one) => `Bearer ${one}`), `Basic ${TOKENS.all}`, TOKENS.all, 'Bearer']) {
      const answer = await stack().request('/v1/runs', { headers: { authorization } });
      expectProblem(answer, 401, 'unauthorized');
      expect(answer.text).not.toContain(TOKENS.all.slice(0, 12));
    }
    const told = await stack().request('/v1/runs', { headers: { authorization: `Bearer ${'x'.repeat(40)}` } });
    expect(told.headers.get('www-authenticate')).toContain('error="invalid_token"');
  });

  // What is not known needs the highest scope: a route that is added without thought is closed.
  it.each([
    ['GET', '/v1/runs', 'reader'],
    ['HEAD', '/v1/runs', 'reader'],
    ['GET', `/v1/runs/${RUN}`, 'reader'],
    ['GET', `/v1/runs/${RUN}/dead-letters`, 'reader'],
    ['GET', '/metrics', 'reader'],
    ['GET', '/v1/nothing', 'reader'],
    ['POST', UPLOADS, 'sender'],
    ['POST', `${UPLOADS}?again=false`, 'sender'],
    ['POST', '/v1/runs', 'sender'],
    ['GET', `/v1/runs/${RUN}/events`, 'reader'],
    ['GET', '/v1/pipelines', 'reader'],
    ['POST', '/v1/runs?again=true', 'admin'],
    ['POST', `${UPLOADS}?again=true`, 'admin'],
    ['POST', `${UPLOADS}?again=false&again=true`, 'admin'],
    ['POST', `/v1/runs/${RUN}/cancel`, 'admin'],
    ['POST', `/v1/runs/${RUN}/%63ancel`, 'admin'],
    ['POST', `/v1/runs/${RUN}/retry`, 'admin'],
    ['POST', '/v1/nothing', 'admin'],
    ['DELETE', `/v1/runs/${RUN}`, 'admin'],
    ['PUT', UPLOADS, 'admin'],
  ] as const)('13.2.1 %s %s needs its scope: %s', async (method, path, needed) => {
    expect((await ask(path, method)).status).toBe(401);
    for (const name of ['reader', 'sender', 'admin'] as const) {
      const { status } = await ask(path, method, name);
      if (name === needed) expect([401, 403]).not.toContain(status);
      else expect([name, status]).toEqual([name, 403]);
    }
  });

  it('13.2.1 nobody is asked for a body before who he is: the answer comes while it has not been sent', async () => {
    for (const [headers, status] of [
      [{}, 401],
      [bearer('reader'), 403],
    ] as const) {
      const upload = new RawUpload(`${stack().url}${UPLOADS}`, { 'content-length': 100_000, ...headers });
      expect((await upload.answer).status).toBe(status);
      upload.cut();
    }
    const runs = (await stack().request('/v1/runs')).body as unknown as { items: object[] };
    expect(runs.items).toEqual([]);
  });

  it('13.2.1 a file goes in with `upload`, and is read with `read`', async () => {
    const sent = await stack().upload(fileOf([company(1, 'porta')]), { headers: bearer('sender') });
    expect([sent.status, sent.body.state]).toEqual([200, 'completed']);
    expect((await ask(`/v1/runs/${sent.body.id}`, 'GET', 'sender')).status).toBe(403);
    expect((await ask(`/v1/runs/${sent.body.id}`, 'GET', 'reader')).status).toBe(200);
  });

  it('16.5.3 fails closed: a request that cannot be read is refused, and opens nothing', async () => {
    const { port } = stack().service('ingest');
    const head = `GET /v1/runs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n`;
    for (const [first, second] of [
      ['x'.repeat(40), TOKENS.all],
      [TOKENS.all, 'x'.repeat(40)],
    ]) {
      const twice = `Authorization: Bearer ${first}\r\nAuthorization: Bearer ${second}\r\n`;
      expect(await rawExchange(port, `${head}${twice}\r\n`)).toMatch(/^HTTP\/1.1 401 /);
    }
    expect(await rawExchange(port, 'GET /v1/runs HTTP/9.9\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
    expect(await rawExchange(port, `${head}X: ${'x'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
    expect(await rawExchange(port, 'GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1.1 4/,
    );
  });

  it('answers carry the headers of an API: nothing may load, embed or sniff them', async () => {
    for (const { port } of stack().services) {
      const { headers } = await fetch(`http://127.0.0.1:${port}/health/live`);
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('x-powered-by')).toBeNull();
    }
  });
}
