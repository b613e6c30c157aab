// Which ports a start takes: usual, next free, or exactly the one that was set.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, isFree, parsePort, takePort } from '../../scripts/ports.mjs';

describe('ports', () => {
  const cacheDir = mkdtempSync(join(tmpdir(), 'caudal-ports-'));
  const servers: Server[] = [];
  const listen = async (): Promise<number> => {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const taking = (usual: number, env = {}): { port: Promise<number>; said: string[] } => {
    const said: string[] = [];
    const options = { name: 'ingest', variable: 'CAUDAL_PORT', usual, env, cacheDir };
    return { port: takePort({ ...options, say: (text) => said.push(text) }), said };
  };
  afterAll(() => {
    for (const server of servers) server.close();
    rmSync(cacheDir, { recursive: true });
  });

  it('takes the usual port silently when it is free', async () => {
    const usual = await freePort();
    const { port, said } = taking(usual);
    expect(await port).toBe(usual);
    expect(said).toEqual([]);
  });

  it('takes another one when the usual one is taken, and says so', async () => {
    const usual = await listen();
    const { port, said } = taking(usual);
    expect(await port).toBeGreaterThan(usual);
    expect(said).toEqual([`Port ${usual} (ingest) is taken: using ${await port}.`]);
  });

  it('never gives one port twice, though nobody listens there yet', async () => {
    const usual = await freePort();
    const ports = await Promise.all([taking(usual).port, taking(usual).port, taking(usual).port]);
    expect(new Set(ports).size).toBe(3);
  });

  it('refuses a set port that is taken, naming the variable', async () => {
    const taken = await listen();
    await expect(taking(1, { CAUDAL_PORT: String(taken) }).port).rejects.toThrow(`CAUDAL_PORT=${taken}: port ${taken}`);
    expect(await isFree('127.0.0.1', taken)).toBe(false);
  });

  it.each(['0', '65536', '-1', '80a', ''])('refuses %p as a port', (text) => {
    expect(() => parsePort('CAUDAL_PORT', text)).toThrow('CAUDAL_PORT=');
  });

  it('accepts the ends of the range', () => {
    expect([parsePort('P', '1'), parsePort('P', '65535')]).toEqual([1, 65535]);
  });
});
