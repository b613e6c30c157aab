// One file on its way to ingest: read from disk while it is sent, with its name, tried again while ingest says "later".
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { problem, type Api, type ApiAnswer } from '../api.js';
import { WrongUse } from '../failure.js';
import { bar, bytesText, durationText, type Terminal } from '../terminal.js';

const ATTEMPTS = 5;
const RETRY_AFTER_MAX_S = 60;

export interface Sending {
  readonly api: Api;
  readonly terminal: Terminal;
  /** Path and query of the call. */
  readonly path: string;
  readonly file: string;
}

/**
 * The answer to one upload, a refusal (422) included. A 429 or 503 is tried again after the time that it names: the same
 * bytes are never counted twice. Throws a Failure for everything else, and {@link WrongUse} when the file is none.
 */
export async function sendFile(sending: Sending): Promise<ApiAnswer> {
  const bytes = await sizeOf(sending.file);
  for (let attempt = 1; ; attempt++) {
    const answer = await sendOnce(sending, bytes);
    const { status, body } = answer;
    if (status < 400 || status === 422) return answer;
    const later = (status === 429 || status === 503) && body.run === undefined;
    if (!later || attempt === ATTEMPTS) throw problem(status, body);
    const waitS = Math.min(RETRY_AFTER_MAX_S, attempt * 5);
    sending.terminal.tell(`${basename(sending.file)}: ${String(body.code)}, trying again in ${waitS} s`);
    await sleep(waitS * 1000);
  }
}

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    throw new WrongUse(`cannot read ${file}: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}`);
  });
  if (!found.isFile()) throw new WrongUse(`cannot read ${file}: it is no plain file`);
  return found.size;
}

async function sendOnce({ api, terminal, path, file }: Sending, total: number): Promise<ApiAnswer> {
  const name = basename(file);
  const startedMs = performance.now();
  let sent = 0;
  const count = (bytes: number) => void (sent += bytes);
  const done = terminal.progress(() => {
    const seconds = (performance.now() - startedMs) / 1000;
    const rate = sent / Math.max(seconds, 0.001);
    const left = sent === 0 ? '' : `, ${durationText(((total - sent) / rate) * 1000)} left`;
    if (sent >= total) return `${name}: ${bytesText(total)} sent, waiting for the checks`;
    return `${name}: ${bar(sent / total)} of ${bytesText(total)}, ${bytesText(rate)}/s${left}`;
  });
  const boundary = `caudal-${randomUUID()}`;
  const headers: Record<string, string> = { 'content-type': `multipart/form-data; boundary=${boundary}` };
  if (name.endsWith('.gz')) headers['content-encoding'] = 'gzip';
  try {
    const body = ReadableStream.from(multipart(file, boundary, count)) as unknown as NonNullable<RequestInit['body']>;
    return await api.send('POST', path, { headers, body, duplex: 'half' });
  } finally {
    done();
  }
}

/** RFC 7578, one part: multipart because it carries the file's name. */
async function* multipart(file: string, boundary: string, count: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  const name = basename(file).replaceAll(/["\r\n\\]/g, '_');
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n`;
  yield Buffer.from(`${head}Content-Type: text/csv\r\n\r\n`);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 16 }) as AsyncIterable<Buffer>) {
    yield chunk;
    count(chunk.length);
  }
  yield Buffer.from(`\r\n--${boundary}--\r\n`);
}
