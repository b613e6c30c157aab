// While a body arrives: a sender that is slow holds a place and a file open, so it is sent away. What is slow on our side
// (a disk, a full pipe) is not held against it.
import type { IncomingMessage } from 'node:http';
import { Problem } from '../problem.js';

export interface PaceLimits {
  /** Fewer bytes a second than this over `slowBodyMs`: 408. 0: as slow as it likes. */
  bodyBytesPerSecond: number;
  slowBodyMs: number;
  /** A body that takes longer than this in all: 408. */
  bodyMs: number;
}

/** What is used of the request. */
export type PacedRequest = Pick<IncomingMessage, 'complete' | 'readableLength' | 'isPaused'> & {
  socket: { bytesRead: number };
};

const LOOKS = 10;

export class Pace {
  private readonly ending = new AbortController();
  private readonly looking: NodeJS.Timeout;
  private readonly limit: NodeJS.Timeout;
  /** Bytes that had come at the last looks, the oldest first. */
  private seen: number[];

  /** `stop` ends the body as well: the service goes down. */
  constructor(
    private readonly request: PacedRequest,
    private readonly limits: PaceLimits,
    private readonly stop: AbortSignal,
  ) {
    this.seen = [request.socket.bytesRead];
    this.looking = setInterval(() => this.look(), limits.slowBodyMs / LOOKS);
    this.limit = setTimeout(() => this.tooSlow(`it took longer than ${limits.bodyMs} ms`), limits.bodyMs);
    if (stop.aborted) this.ending.abort(stop.reason);
    else stop.addEventListener('abort', this.onStop);
  }

  /** Aborts when the body is to end now; its reason is a {@link Problem} when the sender is slow. */
  get signal(): AbortSignal {
    return this.ending.signal;
  }

  /** The body has come, or is not wanted any more. */
  end(): void {
    clearInterval(this.looking);
    clearTimeout(this.limit);
    this.stop.removeEventListener('abort', this.onStop);
  }

  private readonly onStop = (): void => this.ending.abort(this.stop.reason);

  private look(): void {
    const { request, limits, seen } = this;
    if (request.complete) return this.end();
    const bytes = request.socket.bytesRead;
    // What has come and is not taken yet: we are the slow ones, and the time begins anew.
    if (request.isPaused() || request.readableLength > 0) {
      this.seen = [bytes];
      return;
    }
    seen.push(bytes);
    if (seen.length <= LOOKS) return;
    if (bytes - seen.shift()! >= (limits.bodyBytesPerSecond * limits.slowBodyMs) / 1_000) return;
    this.tooSlow(`it brought fewer than ${limits.bodyBytesPerSecond} bytes a second over ${limits.slowBodyMs} ms`);
  }

  private tooSlow(how: string): void {
    this.end();
    this.ending.abort(new Problem(408, 'too_slow', `the body came too slowly (${how}): send it again`));
  }
}
