// GET /v1/pipelines...: what there is to send files to, and how far behind its results are.
import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { Problem } from '../problem.js';
import { checkQuery, type Query as QueryMap } from '../query.js';
import { PipelineStatus } from './pipeline-status.js';

@Controller('v1/pipelines')
export class PipelinesController {
  constructor(@Inject(PipelineStatus) private readonly status: PipelineStatus) {}

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
}
