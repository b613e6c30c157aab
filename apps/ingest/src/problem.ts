// Every error that a client sees: RFC 9457 `application/problem+json` with a stable `code`, and `run` when there is one.
import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    /** Further members of the answer, e.g. `run`, `failed_checks`. */
    readonly members: Record<string, unknown> = {},
    readonly headers: Record<string, string> = {},
  ) {
    super(detail);
    this.name = 'Problem';
  }
}

export interface ErrorLog {
  error(fields: object, message: string): void;
}

/** Turns whatever a handler threw into a problem document; what is not ours is logged and told as `internal`. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: ErrorLog) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    const request = http.getRequest<FastifyRequest>();
    if (reply.sent || reply.raw.destroyed) return;
    const problem = this.toProblem(error);
    // A body that nobody reads would keep the connection busy: it is closed after the answer instead.
    if (!request.raw.complete) void reply.header('connection', 'close');
    void reply
      .status(problem.status)
      .headers(problem.headers)
      .type('application/problem+json')
      .send(
        JSON.stringify({
          type: 'about:blank',
          title: STATUS_CODES[problem.status] ?? 'Error',
          status: problem.status,
          code: problem.code,
          detail: problem.detail,
          ...problem.members,
        }),
      );
  }

  private toProblem(error: unknown): Problem {
    if (error instanceof Problem) return error;
    const status = error instanceof HttpException ? error.getStatus() : ((error as { statusCode?: number })?.statusCode ?? 500);
    if (status === 404) return new Problem(404, 'not_found', 'there is nothing at this address');
    if (status >= 400 && status < 500) return new Problem(status, 'bad_request', (error as Error).message);
    this.log.error({ err: error }, 'request failed');
    return new Problem(500, 'internal', 'an internal error; the log of the ingest service has the details');
  }
}
