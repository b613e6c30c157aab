// The HTTP side of the active ingest, ready to listen.
import multipart from '@fastify/multipart';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { httpAdapter, nestLogger, secure, type IngestMetrics, type Logger, type ServiceConfig } from '#runtime';
import { IngestModule } from './ingest.module.js';
import { ProblemFilter } from './problem.js';
import type { IngestServices } from './services.js';

export async function openDoor(
  services: IngestServices,
  config: ServiceConfig,
  metrics: IngestMetrics,
  logger: Logger,
): Promise<NestFastifyApplication> {
  const module = IngestModule.register(services, config, metrics);
  const app = await NestFactory.create<NestFastifyApplication>(module, httpAdapter(config), {
    bodyParser: false,
    logger: nestLogger(logger),
    abortOnError: false,
  });
  const fastify = app.getHttpAdapter().getInstance();
  await secure(app, config, logger);
  fastify.removeAllContentTypeParsers();
  // Bodies are streams for the controller to open; nothing is parsed before it has looked at the request.
  await app.register(multipart as never, {
    limits: { files: 1, parts: 100, fileSize: Infinity, fieldSize: 64 * 1024 },
  });
  fastify.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.useGlobalFilters(new ProblemFilter(logger));
  return app;
}
