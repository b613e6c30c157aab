// The front door's first look at a request: which bytes are the file, and within which bounds. Multipart and gzip are
// taken off here; sizes are counted on both sides of gzip, because zlib's own cap does not hold in a stream.
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Problem } from '../problem.js';

export interface BodyLimits {
  /** Bytes as sent. */
  bodyBytes: number;
  /** Bytes after gzip is taken off. */
  uncompressedBytes: number;
}

export interface IncomingFile {
  fileName: string | null;
  /** The file's own bytes; errors are {@link Problem}s. */
  bytes: AsyncIterable<Buffer>;
}

const RAW_TYPES = ['text/csv', 'application/octet-stream'];

/** Finds the file in a request, or throws a {@link Problem} (400, 413, 415) before its bytes are read. */
export async function openBody(request: FastifyRequest, limits: BodyLimits): Promise<IncomingFile> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > limits.bodyBytes) throw tooLarge('body', limits.bodyBytes);
  if (type === 'multipart/form-data') return openMultipart(request, limits);
  if (!RAW_TYPES.includes(type)) {
    throw new Problem(
      415,
      'unsupported_media_type',
      `Content-Type ${type === '' ? 'is missing' : `"${type.slice(0, 100)}" is not accepted`}: send the header ` +
        '"Content-Type: text/csv" (with curl: -H "Content-Type: text/csv" --data-binary @file.csv), ' +
        'application/octet-stream, or multipart/form-data with a field "file"',
    );
  }
  return { fileName: null, bytes: decoded(request.raw, request, limits) };
}

async function openMultipart(request: FastifyRequest, limits: BodyLimits): Promise<IncomingFile> {
  let part: MultipartFile | undefined;
  try {
    for await (const candidate of request.parts()) {
      if (candidate.type !== 'file') continue;
      if (candidate.fieldname === 'file') {
        part = candidate;
        break;
      }
      candidate.file.resume();
    }
  } catch (error) {
    throw new Problem(400, 'bad_multipart', `the multipart body cannot be read: ${(error as Error).message}`);
  }
  if (!part) throw new Problem(400, 'no_file', 'the multipart body has no file field named "file"');
  const name = part.filename === '' ? null : part.filename.slice(0, 255);
  return { fileName: name, bytes: decoded(part.file, request, limits) };
}

/** The stream's bytes without gzip, counted and cut off at the limits. */
async function* decoded(source: Readable, request: FastifyRequest, limits: BodyLimits): AsyncGenerator<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const counted = counter(limits.bodyBytes, 'body');
  if (encoding !== 'gzip' && encoding !== 'identity') {
    throw new Problem(415, 'unsupported_encoding', 'Content-Encoding must be gzip, or absent');
  }
  const out = encoding === 'gzip' ? createGunzip() : counted;
  const flowing = encoding === 'gzip' ? pipeline(source, counted, out) : pipeline(source, counted);
  // The failure of the chain is thrown below, where it is awaited: here it only must not count as unhandled.
  flowing.catch(() => undefined);
  let bytes = 0;
  try {
    for await (const chunk of out as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > limits.uncompressedBytes) throw tooLarge('uncompressed file', limits.uncompressedBytes);
      yield chunk;
    }
    await flowing;
  } catch (error) {
    throw bodyProblem(error, request);
  } finally {
    source.destroy === undefined || out.destroy();
  }
}

function counter(limit: number, what: string): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > limit) done(tooLarge(what, limit));
      else done(null, chunk);
    },
  });
}

const tooLarge = (what: string, limit: number): Problem =>
  new Problem(413, 'too_large', `the ${what} is larger than the limit of ${limit} bytes`);

function bodyProblem(error: unknown, request: FastifyRequest): Problem {
  if (error instanceof Problem) return error;
  const code = (error as { code?: string }).code ?? '';
  if (code.startsWith('Z_')) {
    return new Problem(400, 'bad_gzip', `the gzip body cannot be unpacked (${code}): it is cut off or damaged; send it again`);
  }
  const aborted = request.raw.destroyed && !request.raw.complete;
  const reason = aborted ? 'the connection was closed' : (error as Error).message;
  return new Problem(400, 'body_incomplete', `the body did not arrive whole (${reason}): send it again`);
}
