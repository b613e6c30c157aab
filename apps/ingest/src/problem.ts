// Every error that a client sees: RFC 9457 `application/problem+json` with a stable `code`, and `run` when there is one.
import { Catch, HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { TaskState } from '#contracts';
import { KafkaError } from '#kafka';
import { discardRest, PROBLEM_TYPE, problemText } from '#runtime';
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

/** `run`: what was recorded before Kafka went away; it goes on when Kafka is back. */
export function kafkaAway(run?: string): Problem {
  const kept =
    run === undefined ? 'nothing was kept: send the file again' : 'the run goes on when it is back: ask for it';
  return new Problem(503, 'kafka_away', `Kafka does not answer; ${kept}`, run === undefined ? {} : { run }, {
    'retry-after': '10',
  });
}

/** An aggregator is near the bound of its memory, or has reached it: what is under way goes on, nothing new begins. */
export function stateFull({ level, bytes, max_bytes: maxBytes }: TaskState): Problem {
  const what = level === 'full' ? 'has paused at' : 'is near';
  return new Problem(
    503,
    'state_full',
    `an aggregator of this pipeline ${what} the bound of its memory (about ${bytes} of ${maxBytes} bytes); nothing was ` +
      'kept: raise CAUDAL_STATE_MAX_BYTES or start another aggregator, then send the file again',
    {},
    { 'retry-after': '60' },
  );
}

/** 415 that names the header to send; `type` is what came instead, empty for none. */
export function unsupportedMediaType(type: string): Problem {
  return new Problem(
    415,
    'unsupported_media_type',
    `Content-Type ${type === '' ? 'is missing' : `"${type.slice(0, 100)}" is not accepted`}: send the header ` +
      '"Content-Type: text/csv" (with curl: -H "Content-Type: text/csv" --data-binary @file.csv), ' +
      'application/octet-stream, or multipart/form-data with a field "file"',
  );
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
    const problem = this.toProblem(error, request);
    discardRest(request.raw);
    void reply.status(problem.status).headers(problem.headers).type(PROBLEM_TYPE).send(problemText(problem));
  }

  private toProblem(error: unknown, request: FastifyRequest): Problem {
    if (error instanceof Problem) return error;
    const status =
      error instanceof HttpException ? error.getStatus() : ((error as { statusCode?: number })?.statusCode ?? 500);
    if (status === 404) return new Problem(404, 'not_found', 'there is nothing at this address');
    if (status === 415) return unsupportedMediaType(request.headers['content-type'] ?? '');
    if (status >= 400 && status < 500) return new Problem(status, 'bad_request', (error as Error).message);
    this.log.error({ err: error }, 'request failed');
    if (error instanceof KafkaError && error.retriable) {
      return new Problem(503, 'kafka_away', 'Kafka does not answer: try again soon', {}, { 'retry-after': '10' });
    }
    return new Problem(500, 'internal', 'an internal error; the log of the ingest service has the details');
  }
}
