// Raw bodies; forms are a matter of the whole server and tested with it (test/e2e/upload-bodies.spec.ts).
import type { FastifyRequest } from 'fastify';
import { PassThrough } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { Problem } from '../problem.js';
import { openBody, type BodyLimits } from './body.js';

const LIMITS: BodyLimits = { bodyBytes: 1_000, uncompressedBytes: 2_000 };
const never = new AbortController().signal;

/** A request whose body the test writes. */
function requestOf(headers: Record<string, string>) {
  const raw = Object.assign(new PassThrough(), { complete: false });
  raw.on('end', () => (raw.complete = true));
  return { raw, request: { headers: { 'content-type': 'text/csv', ...headers }, raw } as unknown as FastifyRequest };
}
const read = async (bytes: AsyncIterable<Buffer>): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
};
const receive = async (body: string | Buffer, headers: Record<string, string> = {}): Promise<Buffer> => {
  const { raw, request } = requestOf(headers);
  raw.end(body);
  return read((await openBody(request, LIMITS, never)).bytes);
};
const gzip = { 'content-encoding': 'gzip' };

describe('openBody', () => {
  it('gives the bytes, with gzip taken off', async () => {
    expect((await receive('a,b\n1,2\n')).toString()).toBe('a,b\n1,2\n');
    expect((await receive(gzipSync('x'.repeat(2_000)), gzip)).length).toBe(2_000);
    const two = Buffer.concat([gzipSync('one '), gzipSync('two')]);
    expect((await receive(two, gzip)).toString()).toBe('one two');
  });

  it('gives no bytes of a body of 0 bytes, also when it is called gzip', async () => {
    expect((await receive('')).length).toBe(0);
    expect((await receive('', gzip)).length).toBe(0);
    expect((await receive(gzipSync(''), gzip)).length).toBe(0);
  });

  it('refuses by the headers alone, before a byte is read', async () => {
    const refused = async (headers: Record<string, string>) => {
      const { raw, request } = requestOf(headers);
      const problem = await openBody(request, LIMITS, never).catch((error: unknown) => error);
      expect(raw.listenerCount('data')).toBe(0);
      return problem;
    };
    expect(await refused({ 'content-type': '' })).toMatchObject({
      status: 415,
      detail: expect.stringContaining('missing'),
    });
    expect(await refused({ 'content-type': 'text/plain' })).toMatchObject({ code: 'unsupported_media_type' });
    expect(await refused({ 'content-encoding': 'br' })).toMatchObject({ status: 415, code: 'unsupported_encoding' });
    expect(await refused({ 'content-length': '1001' })).toMatchObject({ status: 413 });
  });

  it('counts on both sides of gzip, to the byte', async () => {
    expect((await receive('x'.repeat(1_000))).length).toBe(1_000);
    await expect(receive('x'.repeat(1_001))).rejects.toMatchObject({ status: 413, code: 'too_large' });
    await expect(receive(gzipSync('x'.repeat(2_001)), gzip)).rejects.toMatchObject({ status: 413, code: 'too_large' });
  });

  it('tells broken gzip from a body that was cut off', async () => {
    await expect(receive('no gzip', gzip)).rejects.toMatchObject({ status: 400, code: 'bad_gzip' });
    await expect(receive(gzipSync('x').subarray(0, 12), gzip)).rejects.toMatchObject({ code: 'bad_gzip' });
    const { raw, request } = requestOf(gzip);
    const { bytes } = await openBody(request, LIMITS, never);
    const reading = read(bytes);
    raw.write(gzipSync('x').subarray(0, 12));
    setImmediate(() => raw.destroy());
    await expect(reading).rejects.toMatchObject({ status: 400, code: 'body_incomplete' });
  });

  it('leaves the connection alone when it refuses a body in the middle', async () => {
    const { raw, request } = requestOf({});
    const { bytes } = await openBody(request, LIMITS, never);
    raw.write('x'.repeat(1_500));
    await expect(read(bytes)).rejects.toMatchObject({ status: 413 });
    expect(raw.destroyed).toBe(false);
  });

  it('ends a body that still arrives when the service stops', async () => {
    const stop = new AbortController();
    const { raw, request } = requestOf({});
    const { bytes } = await openBody(request, LIMITS, stop.signal);
    raw.write('half');
    setImmediate(() => stop.abort());
    await expect(read(bytes)).rejects.toMatchObject({ status: 503, code: 'body_incomplete' });
  });

  it('ends a body with the reason that the signal names', async () => {
    const slow = new AbortController();
    const { raw, request } = requestOf({});
    const { bytes } = await openBody(request, LIMITS, slow.signal);
    raw.write('half');
    setImmediate(() => slow.abort(new Problem(408, 'too_slow', 'too slow')));
    await expect(read(bytes)).rejects.toMatchObject({ status: 408, code: 'too_slow' });
    expect(raw.destroyed).toBe(false);
  });

  it.each([
    ['a zip archive', 'PK\u0003\u0004rest'],
    ['an empty one', `PK\u0005\u0006${'\0'.repeat(18)}`],
  ])('refuses %s, whatever its pieces and its wrapping', async (_name, text) => {
    await expect(receive(text)).rejects.toMatchObject({ status: 415, code: 'zip_not_accepted' });
    await expect(receive(gzipSync(text), gzip)).rejects.toMatchObject({ code: 'zip_not_accepted' });
    const { raw, request } = requestOf({});
    const reading = expect(read((await openBody(request, LIMITS, never)).bytes)).rejects.toMatchObject({
      code: 'zip_not_accepted',
    });
    for (const letter of text.slice(0, 6)) {
      raw.write(letter);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await reading;
  });

  it.each(['P', 'PK', 'PK\u0003', 'PKW,a\n', 'a'])('takes %j for what it is', async (text) => {
    expect((await receive(text)).toString()).toBe(text);
  });
});
