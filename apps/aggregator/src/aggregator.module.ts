// Wires the aggregator: the controller of the batch transport, health and metrics.
import { Module, type DynamicModule } from '@nestjs/common';
import { KafkaClient } from '#kafka';
import { AggregatorMetrics, healthModule } from '#runtime';
import { AGGREGATOR_SETTINGS, TasksController, type AggregatorSettings } from './tasks.controller.js';

@Module({})
export class AggregatorModule {
  static register(args: {
    client: KafkaClient;
    metrics: AggregatorMetrics;
    settings: AggregatorSettings;
    ready: () => Promise<string[]>;
  }): DynamicModule {
    const { metrics } = args;
    return {
      module: AggregatorModule,
      imports: [healthModule({ ready: args.ready, metrics: () => metrics.text(), contentType: metrics.contentType })],
      controllers: [TasksController],
      providers: [
        { provide: KafkaClient, useValue: args.client },
        { provide: AggregatorMetrics, useValue: metrics },
        { provide: AGGREGATOR_SETTINGS, useValue: args.settings },
      ],
    };
  }
}
