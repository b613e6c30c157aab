// GET /v1/pipelines...: what there is to send files to, and how far behind its results are; and a pipeline's reset.
import { Controller, Get, HttpCode, Inject, Param, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { booleanIn, jsonBody } from '../json-body.js';
import { Problem } from '../problem.js';
import { checkQuery, type Query as QueryMap } from '../query.js';
import { PipelineResets } from './pipeline-resets.js';
import { PipelineStatus } from './pipeline-status.js';

@Controller('v1/pipelines')
export class PipelinesController {
  constructor(
    @Inject(PipelineStatus) private readonly status: PipelineStatus,
    @Inject(PipelineResets) private readonly resets: PipelineResets,
  ) {}

  @Get()
  async list(@Query() query: QueryMap): Promise<object> {
    checkQuery(query, []);
    return { items: await this.status.all(), next_cursor: null };
  }

  @Get(':pipeline')
  async single(@Param('pipeline') name: string, @Query() query: QueryMap): Promise<object> {
    checkQuery(query, []);
    const document = await this.status.one(name);
    if (!document) throw new Problem(404, 'unknown_pipeline', 'there is no pipeline of this name');
    return document;
  }

  @Post(':pipeline/reset')
  @HttpCode(202)
  async reset(
    @Param('pipeline') name: string,
    @Query() query: QueryMap,
    @Req() request: FastifyRequest,
  ): Promise<object> {
    checkQuery(query, []);
    const body = await jsonBody(request, ['replay', 'accept_loss']);
    const how = { replay: booleanIn(body, 'replay', false), acceptLoss: booleanIn(body, 'accept_loss', false) };
    return this.resets.reset(name, how);
  }
}
