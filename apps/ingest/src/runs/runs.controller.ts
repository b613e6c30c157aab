// GET /v1/runs...: what became of the files. Answered from memory (runs) and by seeking in topics (the rest).
import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { RUN_STATES, type StoredRun } from '#contracts';
import { KafkaClient } from '#kafka';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../problem.js';
import { checkQuery, integerOf, textOf, type Query as QueryMap } from '../query.js';
import { publicRun, shownRun } from './answer.js';
import { deadLettersAsCsv, readDeadLetters } from './dead-letters.js';
import { RunParts } from './run-parts.js';
import { RunStore } from './run-store.js';

export const TOPIC_PREFIX = Symbol('topic prefix');
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

@Controller('v1/runs')
export class RunsController {
  constructor(
    @Inject(RunStore) private readonly store: RunStore,
    @Inject(RunParts) private readonly parts: RunParts,
    @Inject(KafkaClient) private readonly client: KafkaClient,
    @Inject(TOPIC_PREFIX) private readonly prefix: string,
  ) {}

  @Get()
  list(@Query() query: QueryMap): object {
    checkQuery(query, ['pipeline', 'state', 'limit', 'cursor']);
    const limit = integerOf(query, 'limit', { min: 1, max: 1000, fallback: 50 });
    const states = new RegExp(`^(${RUN_STATES.join('|')})$`);
    const runs = this.store.list({
      limit: limit + 1,
      pipeline: textOf(query, 'pipeline', /^[a-z][a-z0-9-]{0,40}$/, 'the name of a pipeline'),
      state: textOf(query, 'state', states, `one of ${RUN_STATES.join(', ')}`),
      cursor: textOf(query, 'cursor', ULID, 'a next_cursor of an earlier answer'),
    });
    const items = runs.slice(0, limit);
    return { items: items.map(publicRun), next_cursor: runs.length > limit ? items.at(-1)!.id : null };
  }

  @Get(':id')
  async single(@Param('id') id: string, @Query() query: QueryMap): Promise<object> {
    checkQuery(query, []);
    return shownRun(this.find(id), this.parts);
  }

  @Get(':id/dead-letters')
  async deadLetters(
    @Param('id') id: string,
    @Query() query: QueryMap,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object | string> {
    checkQuery(query, ['limit', 'cursor']);
    const run = this.find(id);
    const limit = integerOf(query, 'limit', { min: 1, max: 1000, fallback: 100 });
    const cursor = textOf(query, 'cursor', /^\d{1,18}$/, 'a next_cursor of an earlier answer');
    const page = await readDeadLetters(this.client, this.prefix, run, {
      limit,
      ...(cursor === undefined ? {} : { cursor: BigInt(cursor) }),
    });
    if (!(request.headers.accept ?? '').includes('text/csv')) return page;
    void reply.type('text/csv; charset=utf-8');
    if (page.next_cursor !== null) void reply.header('x-next-cursor', page.next_cursor);
    return deadLettersAsCsv(page.items);
  }

  private find(id: string): StoredRun {
    const run = ULID.test(id) ? this.store.shown(id) : undefined;
    if (!run) throw new Problem(404, 'unknown_run', 'there is no run of this id');
    return run;
  }
}
