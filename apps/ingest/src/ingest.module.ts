// Wires the opened services into Nest: controllers above, libs below.
import { Module, type DynamicModule } from '@nestjs/common';
import { KafkaClient } from '#kafka';
import { healthModule, type IngestMetrics, type ServiceConfig } from '#runtime';
import { FileRuns } from './files/file-runs.js';
import { PipelineResets } from './pipelines/pipeline-resets.js';
import { PipelineStatus } from './pipelines/pipeline-status.js';
import { PipelinesController } from './pipelines/pipelines.controller.js';
import { RunEventsController, STOP } from './runs/run-events.controller.js';
import { RunJournal } from './runs/run-journal.js';
import { RunParts } from './runs/run-parts.js';
import { RunStore } from './runs/run-store.js';
import { RunsController, RUNS_SETTINGS } from './runs/runs.controller.js';
import type { IngestServices } from './services.js';
import { Intake } from './uploads/intake.js';
import { RunActions } from './uploads/run-actions.js';
import { UPLOAD_SETTINGS, UploadsController, type UploadSettings } from './uploads/uploads.controller.js';

@Module({})
export class IngestModule {
  static register(services: IngestServices, config: ServiceConfig, metrics: IngestMetrics): DynamicModule {
    const settings: UploadSettings = {
      pipelines: services.pipelines,
      limits: config.limits,
      stop: services.stop,
      onBodies: (receivedNow) => metrics.bodies.set(receivedNow),
    };
    return {
      module: IngestModule,
      imports: [
        healthModule({
          ready: () => notReadyBecause(services),
          metrics: () => metrics.text(),
          contentType: metrics.contentType,
        }),
      ],
      controllers: [UploadsController, RunsController, RunEventsController, PipelinesController],
      providers: [
        { provide: Intake, useValue: services.intake },
        { provide: RunStore, useValue: services.store },
        { provide: RunParts, useValue: services.parts },
        { provide: KafkaClient, useValue: services.client },
        { provide: FileRuns, useValue: services.fileRuns },
        { provide: RunActions, useValue: services.actions },
        { provide: RunJournal, useValue: services.journal },
        { provide: PipelineStatus, useValue: services.status },
        { provide: PipelineResets, useValue: services.resets },
        { provide: STOP, useValue: services.stop },
        { provide: RUNS_SETTINGS, useValue: { prefix: config.topicPrefix, pipelines: services.pipelines } },
        { provide: UPLOAD_SETTINGS, useValue: settings },
      ],
    };
  }
}

const PROBE_MS = 1_500;

async function notReadyBecause(services: IngestServices): Promise<string[]> {
  const reasons: string[] = [];
  await Promise.all([
    services.client.ping(PROBE_MS).catch(() => reasons.push('kafka_away')),
    services.redis.ping().catch(() => reasons.push('redis_away')),
  ]);
  if (!services.store.writable) reasons.push('runs_not_written');
  if (services.stop.aborted) reasons.push('stopping');
  for (const [pipeline, queue] of services.queues) if (!queue.isReady) reasons.push(`publisher_not_ready: ${pipeline}`);
  return reasons;
}
