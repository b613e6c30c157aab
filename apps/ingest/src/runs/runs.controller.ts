// /v1/runs...: what became of the files, answered from memory (runs) and by seeking in topics (the rest); runs of files
// that lie on the machine; cancel and retry.
import { Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { RUN_STATES, type Pipeline, type StoredRun } from '#contracts';
import { KafkaClient } from '#kafka';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { FileRuns } from '../files/file-runs.js';
import { booleanIn, jsonBody, textIn } from '../json-body.js';
import { kafkaAway, Problem } from '../problem.js';
import { checkQuery, integerOf, reasonOf, textOf, type Query as QueryMap } from '../query.js';
import { RunActions } from '../uploads/run-actions.js';
import { publicRun, shownRun, shownRunWithProfile } from './answer.js';
import { deadLettersAsCsv, readDeadLetters } from './dead-letters.js';
import { RunParts } from './run-parts.js';
import { RunStore } from './run-store.js';

export const RUNS_SETTINGS = Symbol('runs settings');
export interface RunsSettings {
  prefix: string;
  pipelines: ReadonlyMap<string, Pipeline>;
}
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

@Controller('v1/runs')
export class RunsController {
  constructor(
    @Inject(RunStore) private readonly store: RunStore,
    @Inject(RunParts) private readonly parts: RunParts,
    @Inject(KafkaClient) private readonly client: KafkaClient,
    @Inject(FileRuns) private readonly fileRuns: FileRuns,
    @Inject(RunActions) private readonly actions: RunActions,
    @Inject(RUNS_SETTINGS) private readonly settings: RunsSettings,
  ) {}

  /** A run of a file below `CAUDAL_DATA_DIR/files`: answered at once. */
  @Post()
  @HttpCode(202)
  async begin(
    @Query() query: QueryMap,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    checkQuery(query, []);
    const body = await jsonBody(request, ['pipeline', 'file', 'save_to_db']);
    const pipeline = this.settings.pipelines.get(textIn(body, 'pipeline'));
    const file = textIn(body, 'file');
    const saveToDb = booleanIn(body, 'save_to_db', true);
    if (!pipeline) throw new Problem(404, 'unknown_pipeline', 'there is no pipeline of this name');
    if (!this.store.writable) throw kafkaAway();
    const begun = await this.fileRuns.start({ pipeline, file, saveToDb, source: 'file' });
    const { duplicate } = begun;
    const run = begun.kept ?? this.store.get(begun.run)!;
    void reply.status(duplicate ? 200 : 202).header('location', `/v1/runs/${run.id}`);
    return { ...(await shownRun(run, this.parts)), duplicate };
  }

  @Post(':id/cancel')
  @HttpCode(202)
  async cancel(@Param('id') id: string, @Query() query: QueryMap, @Req() request: FastifyRequest): Promise<object> {
    checkQuery(query, []);
    await jsonBody(request, []);
    const run = this.find(id);
    if (!this.store.writable) throw kafkaAway();
    return publicRun(await this.actions.cancel(run));
  }

  @Post(':id/retry')
  @HttpCode(202)
  async retry(@Param('id') id: string, @Query() query: QueryMap, @Req() request: FastifyRequest): Promise<object> {
    checkQuery(query, []);
    const body = await jsonBody(request, ['force', 'reason']);
    const how = { force: booleanIn(body, 'force', false), reason: reasonOf(body.reason) };
    const run = this.find(id);
    if (!this.store.writable) throw kafkaAway();
    return publicRun(await this.actions.retry(run, how));
  }

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
    return shownRunWithProfile(this.find(id), this.parts);
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
    const page = await readDeadLetters(this.client, this.settings.prefix, run, {
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
