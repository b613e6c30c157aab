// The command line's view of ingest's HTTP API: the same one that everybody uses. Errors become Failures.
import { createParser } from 'eventsource-parser';
import { Failure } from './failure.js';

export interface ApiOptions {
  /** Of ingest, e.g. `http://127.0.0.1:8080`. */
  readonly url: string;
  /** Sent as `Authorization: Bearer`; null: none. */
  readonly token: string | null;
}

export interface ApiAnswer {
  readonly status: number;
  // Documents are as varied as the API; commands say what they read of them.
  readonly body: Record<string, unknown>;
}

export interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
}

export class Api {
  constructor(private readonly options: ApiOptions) {}

  /** The answer of a GET; a {@link Failure} for every status of 400 and above. */
  async get(path: string): Promise<Record<string, unknown>> {
    return this.must(await this.send('GET', path));
  }

  async post(path: string, document: object): Promise<Record<string, unknown>> {
    const body = JSON.stringify(document);
    return this.must(await this.send('POST', path, { body, headers: { 'content-type': 'application/json' } }));
  }

  /** Any answer, whatever its status. Throws a {@link Failure} when nobody answers. */
  async send(method: string, path: string, init: RequestInit & { duplex?: 'half' } = {}): Promise<ApiAnswer> {
    const response = await this.open(method, path, init);
    const text = await this.whole(response);
    return { status: response.status, body: parse(text, response.status) };
  }

  /** The text of an answer of another type than JSON, with its headers. */
  async text(path: string, accept: string): Promise<{ text: string; headers: Headers }> {
    const response = await this.open('GET', path, { headers: { accept } });
    const text = await this.whole(response);
    if (response.status >= 400) this.must({ status: response.status, body: parse(text, response.status) });
    return { text, headers: response.headers };
  }

  /** The events of a server-sent stream until it ends. Throws a {@link Failure} when the connection breaks. */
  async *events(path: string): AsyncGenerator<ServerEvent> {
    const response = await this.open('GET', path, { headers: { accept: 'text/event-stream' } });
    if (response.status >= 400) {
      this.must({ status: response.status, body: parse(await this.whole(response), response.status) });
    }
    const ready: ServerEvent[] = [];
    const parser = createParser({
      onEvent: ({ event, data }) => ready.push({ event: event ?? 'message', data: JSON.parse(data) as unknown }),
    });
    const decoder = new TextDecoder();
    const chunks = (response.body as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
    for (;;) {
      const { value, done } = await chunks.next().catch((error: unknown) => this.unreachable(error));
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* ready.splice(0);
    }
  }

  private whole(response: Response): Promise<string> {
    return response.text().catch((error: unknown) => this.unreachable(error));
  }

  private async open(method: string, path: string, init: RequestInit & { duplex?: 'half' }): Promise<Response> {
    const { url, token } = this.options;
    const headers = new Headers(init.headers);
    if (token !== null) headers.set('authorization', `Bearer ${token}`);
    try {
      return await fetch(new URL(path, url), { ...init, method, headers, redirect: 'error' });
    } catch (error) {
      this.unreachable(error);
    }
  }

  /** No answer, or one that broke off. */
  private unreachable(error: unknown): never {
    const cause = (error as { cause?: { code?: string; message?: string } }).cause;
    const why = cause?.code ?? cause?.message ?? (error as Error).message;
    throw new Failure(
      `no answer from ${this.options.url} (${why}). Is Caudal running there? Start it with "caudal start", or name another ` +
        'address with --url or CAUDAL_URL',
      undefined,
      { code: 'unreachable' },
      { cause: error },
    );
  }

  private must({ status, body }: ApiAnswer): Record<string, unknown> {
    if (status < 400) return body;
    throw problem(status, body);
  }
}

/** An error answer as a Failure: `detail (code)`. */
export function problem(status: number, body: Record<string, unknown>): Failure {
  const code = typeof body.code === 'string' ? body.code : `http_${status}`;
  const detail = typeof body.detail === 'string' ? body.detail : `the service answered ${status}`;
  const hint = status === 401 ? '. Name a token with --token-file or CAUDAL_TOKEN' : '';
  return new Failure(`${detail} (${code})${hint}`, undefined, { status, ...body, code });
}

function parse(text: string, status: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below: a proxy's page, or another program on that port.
  }
  throw new Failure(`the answer (status ${status}) is not Caudal's: is another program listening at this address?`);
}
