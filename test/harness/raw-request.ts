// Requests that fetch cannot make: bodies that come slowly, stop in the middle, or lie about themselves.
import { request, type ClientRequest } from 'node:http';
import { connect } from 'node:net';

export interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

/** An upload whose body is written piece by piece. */
export class RawUpload {
  readonly answer: Promise<RawAnswer>;
  private readonly request: ClientRequest;

  constructor(url: string, headers: Record<string, string | number> = {}) {
    this.request = request(url, { method: 'POST', agent: false, headers: { 'content-type': 'text/csv', ...headers } });
    this.answer = new Promise((resolve, reject) => {
      this.request.on('error', reject);
      this.request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(chunks).toString() }),
        );
      });
    });
    // Awaited by those who want it; a request that is cut off on purpose has none.
    this.answer.catch(() => undefined);
    this.request.flushHeaders();
  }

  /** Resolves when the bytes have left. */
  write(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve) => this.request.write(bytes, () => resolve()));
  }

  end(): void {
    this.request.end();
  }

  /** Closes the connection in the middle of the body. */
  cut(): void {
    this.request.destroy();
  }
}

/** Sends bytes that no HTTP client would send; answers what came back until the connection closed (or after 5 s). */
export function rawExchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    let answer = '';
    socket.setTimeout(5_000, () => socket.destroy());
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
