// Errors as the outside sees them: RFC 9457 `application/problem+json` with a stable `code`, the same on each service.
import { STATUS_CODES, type IncomingMessage } from 'node:http';

export const PROBLEM_TYPE = 'application/problem+json';

/** `detail` says what to do next; `members` are further members, e.g. `run`. */
export interface ProblemDocument {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly members?: Readonly<Record<string, unknown>>;
}

/** The body of an answer. */
export function problemText({ status, code, detail, members }: ProblemDocument): string {
  const title = STATUS_CODES[status] ?? 'Error';
  return JSON.stringify({ type: 'about:blank', title, status, code, detail, ...members });
}

/** After an answer that did not need the whole body, its sender may go on for so long. */
const LINGER_MS = 3_000;

/**
 * The rest of a body that nobody reads is let through for a moment: a connection that is closed under its sender may
 * take the answer with it.
 */
export function discardRest(request: IncomingMessage): void {
  if (request.complete) return;
  request.unpipe();
  request.resume();
  const timer = setTimeout(() => {
    if (!request.complete) request.destroy();
  }, LINGER_MS);
  timer.unref();
  request.once('close', () => clearTimeout(timer));
}
