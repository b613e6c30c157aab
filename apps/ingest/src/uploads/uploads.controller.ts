// POST /v1/pipelines/{pipeline}/uploads: the door. Translates a request into a file for the intake, and its end into
// a status. The rules of both are in the contract's HTTP table.
import { Controller, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import type { Pipeline } from '#contracts';
import { callerOf } from '#runtime';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { kafkaAway, Problem } from '../problem.js';
import { booleanOf, checkQuery, integerOf, reasonOf, type Query as QueryMap } from '../query.js';
import { answerOf, shownRun } from '../runs/answer.js';
import { RunParts } from '../runs/run-parts.js';
import { RunStore } from '../runs/run-store.js';
import { openBody, type BodyLimits, type IncomingFile } from './body.js';
import { Intake, type Arriving, type Placed } from './intake.js';
import { Pace, type PaceLimits } from './pace.js';
import { Quotas, type QuotaLimits } from './quotas.js';

export const UPLOAD_SETTINGS = Symbol('upload settings');
export interface UploadSettings {
  pipelines: ReadonlyMap<string, Pipeline>;
  limits: BodyLimits & PaceLimits & QuotaLimits & { bodiesAtOnce: number };
  /** Aborts when the service stops: nobody is kept waiting. */
  stop: AbortSignal;
  onBodies: (receivedNow: number) => void;
}

@Controller('v1/pipelines/:pipeline/uploads')
export class UploadsController {
  private receiving = 0;
  private readonly quotas: Quotas;

  constructor(
    @Inject(Intake) private readonly intake: Intake,
    @Inject(RunStore) private readonly store: RunStore,
    @Inject(RunParts) private readonly parts: RunParts,
    @Inject(UPLOAD_SETTINGS) private readonly settings: UploadSettings,
  ) {
    this.quotas = new Quotas(settings.limits, Date.now);
  }

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
    checkQuery(query, ['save_to_db', 'wait', 'again', 'reason']);
    const saveToDb = booleanOf(query, 'save_to_db', true);
    const waitSeconds = integerOf(query, 'wait', { min: 0, max: 300, fallback: 0 });
    const again = againOf(query);
    if (!this.store.writable) throw kafkaAway();
    const placed = await this.receive(request, { pipeline, saveToDb, source: 'http', ...(again ? { again } : {}) });
    await placed.decided;
    const run = placed.kept ?? (await this.store.ended(placed.run, waitSeconds * 1000, this.settings.stop))!;
    const { status, headers } = answerOf(run, { duplicate: placed.duplicate, waited: waitSeconds > 0 });
    void reply.status(status).headers(headers);
    return { ...(await shownRun(run, this.parts)), duplicate: placed.duplicate };
  }

  private async receive(request: FastifyRequest, how: Omit<Arriving, 'bytes' | 'fileName'>): Promise<Placed> {
    const { limits, stop } = this.settings;
    if (this.receiving >= limits.bodiesAtOnce) {
      const detail = 'too many files are being received: try again soon';
      throw new Problem(503, 'too_many_uploads', detail, {}, { 'retry-after': '5' });
    }
    const leave = this.quotas.enter(callerOf(request), Number(request.headers['content-length'] ?? 0));
    const pace = new Pace(request.raw, limits, stop);
    this.settings.onBodies(++this.receiving);
    let file: IncomingFile | null = null;
    try {
      file = await openBody(request, limits, pace.signal);
      return await this.intake.receive({ ...how, fileName: file.fileName, bytes: file.bytes });
    } finally {
      pace.end();
      leave(file?.sent() ?? 0);
      this.settings.onBodies(--this.receiving);
    }
  }
}

/** `again=true&reason=...`: a known file is processed once more. */
function againOf(query: QueryMap): { reason: string | null } | undefined {
  const reason = reasonOf(query.reason);
  if (booleanOf(query, 'again', false)) return { reason };
  if (reason !== null) throw new Problem(400, 'bad_query', 'query parameter "reason" goes with again=true');
  return undefined;
}
