// Wires the feature writer: the controller of the batch transport, health and metrics.
import { Module, type DynamicModule } from '@nestjs/common';
import { KafkaClient } from '#kafka';
import { RedisStore } from '#redis';
import { healthModule, WriterMetrics } from '#runtime';
import { FeaturesController, WRITER_SETTINGS, type WriterSettings } from './features.controller.js';
import { Reports } from './report.js';

@Module({})
export class FeatureWriterModule {
  static register(args: {
    client: KafkaClient;
    redis: RedisStore;
    reports: Reports;
    metrics: WriterMetrics;
    settings: WriterSettings;
    ready: () => Promise<string[]>;
  }): DynamicModule {
    const { metrics } = args;
    return {
      module: FeatureWriterModule,
      imports: [healthModule({ ready: args.ready, metrics: () => metrics.text(), contentType: metrics.contentType })],
      controllers: [FeaturesController],
      providers: [
        { provide: KafkaClient, useValue: args.client },
        { provide: RedisStore, useValue: args.redis },
        { provide: Reports, useValue: args.reports },
        { provide: WriterMetrics, useValue: metrics },
        { provide: WRITER_SETTINGS, useValue: args.settings },
      ],
    };
  }
}
