// GET /v1/runs/{id}/events: a run as it goes, for whoever watches (the CLI, a browser's EventSource).
import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../problem.js';
import { checkQuery, type Query as QueryMap } from '../query.js';
import { EventStream } from './event-stream.js';
import { RunJournal } from './run-journal.js';
import { RunStore } from './run-store.js';

export const STOP = Symbol('stop');
const WATCHERS_MAX = 200;

@Controller('v1/runs/:id/events')
export class RunEventsController {
  private watching = 0;
  private readonly life = Date.now().toString(36);

  constructor(
    @Inject(RunStore) private readonly store: RunStore,
    @Inject(RunJournal) private readonly journal: RunJournal,
    @Inject(STOP) private readonly stop: AbortSignal,
  ) {}

  @Get()
  events(
    @Param('id') id: string,
    @Query() query: QueryMap,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): void {
    checkQuery(query, []);
    if (!this.store.shown(id)) throw new Problem(404, 'unknown_run', 'there is no run of this id');
    if (this.watching >= WATCHERS_MAX) {
      const detail = 'too many runs are being watched: ask for the run itself now and then';
      throw new Problem(503, 'too_many_watchers', detail, {}, { 'retry-after': '10' });
    }
    this.watching++;
    const headers = Object.fromEntries(Object.entries(reply.getHeaders()).filter(([, value]) => value !== undefined));
    reply.hijack();
    reply.raw.writeHead(200, {
      ...(headers as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    const { store, journal, stop, life } = this;
    const options = { run: id, lastLine: this.lastLineOf(request), life, store, journal, stop };
    new EventStream(reply.raw, options).begin(() => this.watching--);
  }

  private lastLineOf(request: FastifyRequest): number {
    const [life, line] = String(request.headers['last-event-id'] ?? '').split('-');
    return life === this.life && /^\d{1,9}$/.test(line ?? '') ? Number(line) : 0;
  }
}
