// POST /v1/pipelines/{pipeline}/uploads: the door. Translates a request into a file for the intake, and its end into
// a status. The rules of both are in the contract's HTTP table.
import { Controller, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { Pipeline } from '#contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../problem.js';
import { booleanOf, checkQuery, integerOf, type Query as QueryMap } from '../query.js';
import { answerOf } from '../runs/answer.js';
import { RunStore } from '../runs/run-store.js';
import { openBody, type BodyLimits } from './body.js';
import { Intake } from './intake.js';

export const UPLOAD_SETTINGS = Symbol('upload settings');
export interface UploadSettings {
  pipelines: ReadonlyMap<string, Pipeline>;
  limits: BodyLimits & { bodiesAtOnce: number };
  /** A reason to turn uploads away (Kafka not reached yet), or null. */
  closedBecause: () => string | null;
}

@Controller('v1/pipelines/:pipeline/uploads')
export class UploadsController {
  private receiving = 0;

  constructor(
    @Inject(Intake) private readonly intake: Intake,
    @Inject(RunStore) private readonly store: RunStore,
    @Inject(UPLOAD_SETTINGS) private readonly settings: UploadSettings,
  ) {}

  @Post()
  @HttpCode(202)
  async upload(
    @Param('pipeline') name: string,
    @Query() query: QueryMap,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const pipeline = this.settings.pipelines.get(name);
    if (!pipeline) throw new Problem(404, 'unknown_pipeline', 'there is no pipeline of this name');
    checkQuery(query, ['save_to_db', 'wait']);
    const saveToDb = booleanOf(query, 'save_to_db', true);
    const waitSeconds = integerOf(query, 'wait', { min: 0, max: 300, fallback: 0 });
    const closed = this.settings.closedBecause();
    if (closed !== null) throw new Problem(503, 'kafka_away', closed, {}, { 'retry-after': '10' });
    const received = await this.receive(request, pipeline, saveToDb);
    const run = (await this.store.ended(received.run.id, waitSeconds * 1000)) ?? received.run;
    const answer = answerOf(run, { duplicate: received.duplicate, waited: waitSeconds > 0 });
    return reply.status(answer.status).headers(answer.headers).send(answer.body) as unknown as object;
  }

  private async receive(request: FastifyRequest, pipeline: Pipeline, saveToDb: boolean) {
    if (this.receiving >= this.settings.limits.bodiesAtOnce) {
      throw new Problem(503, 'too_many_uploads', 'too many files are being received: try again soon', {}, { 'retry-after': '5' });
    }
    this.receiving++;
    try {
      const file = await openBody(request, this.settings.limits);
      return await this.intake.receive({ pipeline, saveToDb, fileName: file.fileName, bytes: file.bytes });
    } finally {
      this.receiving--;
    }
  }
}
