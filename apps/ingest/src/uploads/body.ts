// The front door's first look at a request: which bytes are the file, and within which bounds. Multipart and gzip are
// taken off here; sizes are counted on both sides of gzip, because zlib's own cap does not hold in a stream.
import type { MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import { addAbortSignal, PassThrough, Transform, type Readable, type TransformCallback } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { Problem, unsupportedMediaType } from '../problem.js';

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
  /** How many of its bytes have come so far, as they were sent. */
  sent: () => number;
}

type Parts = AsyncIterator<Awaited<ReturnType<ReturnType<FastifyRequest['parts']>['next']>>['value']>;

const RAW_TYPES = ['text/csv', 'application/octet-stream'];

/**
 * Finds the file in a request, or throws a {@link Problem} (400, 413, 415) before its bytes are read. When `end` aborts,
 * a body that is still arriving ends with the signal's {@link Problem}, else (the service stops) with 503: its sender must
 * send it again.
 */
export async function openBody(request: FastifyRequest, limits: BodyLimits, end: AbortSignal): Promise<IncomingFile> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  const declared = Number(request.headers['content-length'] ?? 0);
  if (type !== 'multipart/form-data' && !RAW_TYPES.includes(type)) throw unsupportedMediaType(type);
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'gzip' && encoding !== 'identity') {
    throw new Problem(415, 'unsupported_encoding', 'Content-Encoding must be gzip, or absent');
  }
  if (declared > limits.bodyBytes) throw tooLarge('body', limits.bodyBytes);
  const gzip = encoding === 'gzip';
  if (type === 'multipart/form-data') return openMultipart(request, limits, end, gzip);
  const counted = new Counter(limits.bodyBytes);
  const bytes = decoded(detached(request.raw), counted, limits, end, gzip);
  return { fileName: null, bytes, sent: () => counted.bytes };
}

async function openMultipart(
  request: FastifyRequest,
  limits: BodyLimits,
  end: AbortSignal,
  gzip: boolean,
): Promise<IncomingFile> {
  const parts: Parts = request.parts()[Symbol.asyncIterator]();
  const part = await nextFile(parts, end);
  if (part?.fieldname !== 'file')
    throw new Problem(400, 'no_file', 'the multipart body has no file field named "file"');
  const name = part.filename === '' ? null : part.filename.slice(0, 255);
  const counted = new Counter(limits.bodyBytes);
  const bytes = onlyFile(decoded(part.file, counted, limits, end, gzip), parts, end);
  return { fileName: name, bytes, sent: () => counted.bytes };
}

/** The file's bytes, if no other file follows it: one run is one file, and none may be lost without a word. */
async function* onlyFile(bytes: AsyncIterable<Buffer>, parts: Parts, end: AbortSignal): AsyncGenerator<Buffer> {
  yield* bytes;
  if (await nextFile(parts, end)) throw tooManyFiles();
}

/** The next part that is a file; null at the end of the form. */
async function nextFile(parts: Parts, end: AbortSignal): Promise<MultipartFile | null> {
  try {
    for (;;) {
      const { value, done } = await unlessEnded(parts.next(), end);
      if (done) return null;
      if (value.type === 'file') return value;
    }
  } catch (error) {
    if (end.aborted) throw bodyProblem(error, end);
    const { code, message } = error as { code?: string; message: string };
    if (code === 'FST_FILES_LIMIT') throw tooManyFiles();
    if (code === 'FST_MP_PREMATURE_CLOSE') throw incomplete('the connection was closed');
    throw new Problem(400, 'bad_multipart', `the multipart body cannot be read: ${message}`);
  }
}

/** Rejects with the signal's reason when that comes first: a form may stop anywhere between its parts. */
function unlessEnded<T>(work: Promise<T>, end: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onEnd = () => reject(end.reason);
    if (end.aborted) onEnd();
    end.addEventListener('abort', onEnd, { once: true });
    work.then(resolve, reject).finally(() => end.removeEventListener('abort', onEnd));
  });
}

/**
 * The request's bytes as a stream that may be destroyed (a refused body) without its connection, over which the answer
 * still has to go.
 */
function detached(request: IncomingMessage): Readable {
  const bytes = new PassThrough();
  request.once('close', () => {
    if (!request.complete) bytes.destroy(incomplete('the connection was closed'));
  });
  return request.pipe(bytes);
}

/** The bytes of a file on the machine, by the rules of a body's. */
export function fileBytes(
  source: Readable,
  limits: BodyLimits,
  end: AbortSignal,
  gzip: boolean,
): AsyncGenerator<Buffer> {
  return decoded(source, new Counter(limits.bodyBytes), limits, end, gzip);
}

/** The stream's bytes without gzip, counted and cut off at the limits. */
async function* decoded(
  source: Readable,
  counted: Counter,
  limits: BodyLimits,
  end: AbortSignal,
  gzip: boolean,
): AsyncGenerator<Buffer> {
  addAbortSignal(end, source);
  const out = gzip ? createGunzip() : counted;
  const flowing = gzip ? pipeline(source, counted, out) : pipeline(source, counted);
  // The failure of the chain is thrown below, where it is awaited: here it only must not count as unhandled.
  flowing.catch(() => undefined);
  let bytes = 0;
  try {
    for await (const chunk of withoutZip(out as AsyncIterable<Buffer>)) {
      bytes += chunk.length;
      if (bytes > limits.uncompressedBytes) throw tooLarge('uncompressed file', limits.uncompressedBytes);
      yield chunk;
    }
    await flowing;
  } catch (error) {
    // No byte at all is an empty body whatever it is called, not a damaged gzip.
    if (gzip && counted.bytes === 0 && isZlibError(error)) return;
    throw bodyProblem(error, end);
  } finally {
    out.destroy();
  }
}

// How a zip archive begins, and an empty one.
const ZIP_MARKS = ['PK\u0003\u0004', 'PK\u0005\u0006'];
const MARK_BYTES = 4;

/** The same bytes; a zip archive is refused by its first ones, whatever the headers call it. */
async function* withoutZip(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  let isLooked = false;
  for await (const chunk of source) {
    if (isLooked) {
      yield chunk;
      continue;
    }
    head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    // A P may be the beginning of anything: wait until it cannot be a mark, or is one.
    if (head.length < MARK_BYTES && ZIP_MARKS.some((mark) => mark.startsWith(head.toString('latin1')))) continue;
    if (ZIP_MARKS.includes(head.toString('latin1', 0, MARK_BYTES))) throw zipRefused();
    isLooked = true;
    yield head;
  }
  if (!isLooked && head.length > 0) yield head;
}

const zipRefused = (): Problem =>
  new Problem(415, 'zip_not_accepted', 'this is a zip archive: unpack it and send the CSV file, or send it as gzip');

/** Lets bytes through up to a limit. */
class Counter extends Transform {
  bytes = 0;

  constructor(private readonly limit: number) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.bytes += chunk.length;
    if (this.bytes > this.limit) done(tooLarge('body', this.limit));
    else done(null, chunk);
  }
}

const tooLarge = (what: string, limit: number): Problem =>
  new Problem(413, 'too_large', `the ${what} is larger than the limit of ${limit} bytes`);

const tooManyFiles = (): Problem =>
  new Problem(
    400,
    'too_many_files',
    'the multipart body has more than one file: send each file in a request of its own',
  );

const incomplete = (reason: string): Problem =>
  new Problem(400, 'body_incomplete', `the body did not arrive whole (${reason}): send it again`);

const isZlibError = (error: unknown): boolean => (error as { code?: string }).code?.startsWith('Z_') === true;

function bodyProblem(error: unknown, end: AbortSignal): Problem {
  if (error instanceof Problem) return error;
  if (end.reason instanceof Problem) return end.reason;
  const { code = '', name, message } = error as { code?: string; name: string; message: string };
  if (isZlibError(error)) {
    return new Problem(
      400,
      'bad_gzip',
      `the gzip body cannot be unpacked (${code}): it is cut off or damaged; send it again`,
    );
  }
  if (name === 'AbortError') {
    const detail = 'ingest is stopping and the body had not arrived whole: send it again';
    return new Problem(503, 'body_incomplete', detail, {}, { 'retry-after': '10' });
  }
  return incomplete(code === 'FST_MP_PREMATURE_CLOSE' ? 'the connection was closed' : message);
}
