// The small JSON documents that calls other than uploads bring: read within a bound, an object or nothing, no unknown keys.
import type { FastifyRequest } from 'fastify';
import { Problem } from './problem.js';

const MAX_BYTES = 64 * 1024;

export type JsonBody = Readonly<Record<string, unknown>>;

/** The body as an object whose keys are all `allowed`; an empty body is `{}`. Throws {@link Problem}: 400, 413, 415. */
export async function jsonBody(request: FastifyRequest, allowed: readonly string[]): Promise<JsonBody> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.raw as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Problem(413, 'too_large', `the body is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (bytes === 0) return {};
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new Problem(415, 'unsupported_media_type', 'send JSON with the header "Content-Type: application/json"');
  }
  const body = parsed(Buffer.concat(chunks));
  const unknown = Object.keys(body).filter((key) => !allowed.includes(key));
  if (unknown.length > 0) {
    throw bad(`"${unknown[0]!.slice(0, 100)}" is not known here; known are ${allowed.join(', ')}`);
  }
  return body;
}

/** A boolean of the body. */
export function booleanIn(body: JsonBody, name: string, fallback: boolean): boolean {
  const value = body[name];
  if (value === undefined) return fallback;
  if (typeof value === 'boolean') return value;
  throw bad(`"${name}" must be true or false`);
}

/** A text of the body that must be there. */
export function textIn(body: JsonBody, name: string): string {
  const value = body[name];
  if (typeof value === 'string' && value !== '') return value;
  throw bad(`"${name}" must be given, as a text`);
}

function parsed(bytes: Buffer): JsonBody {
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString());
  } catch {
    throw bad('the body is not JSON');
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw bad('the body must be a JSON object');
  return body as JsonBody;
}

const bad = (detail: string): Problem => new Problem(400, 'bad_body', detail);
