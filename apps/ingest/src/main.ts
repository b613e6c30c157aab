// The ingest service: files in over HTTP, rows out to Kafka; answers what became of them.
import 'reflect-metadata';
import multipart from '@fastify/multipart';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import {
  IngestMetrics,
  createLogger,
  nestLogger,
  configOrExit,
  httpAdapter,
  runService,
  secure,
  type Logger,
  type ServiceConfig,
} from '#runtime';
import { IngestModule } from './ingest.module.js';
import { ProblemFilter } from './problem.js';
import { openIngest } from './services.js';

async function openDoor(
  module: Parameters<typeof NestFactory.create>[0],
  config: ServiceConfig,
  logger: Logger,
): Promise<NestFastifyApplication> {
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
  await app.listen(config.port, config.host);
  return app;
}

const config = configOrExit('ingest');
const logger = createLogger({ service: 'ingest', level: config.logLevel });
const metrics = new IngestMetrics();

await runService({
  name: 'ingest',
  logger,
  start: async ({ fatal }) => {
    const services = await openIngest({ config, logger, metrics, onFatal: fatal });
    const app = await openDoor(IngestModule.register(services, config, metrics), config, logger).catch(
      async (error: unknown) => {
        await services.close().catch(() => undefined);
        throw error;
      },
    );
    logger.info({ host: config.host, port: config.port }, 'ingest is listening');
    return {
      stop: async () => {
        services.letGo();
        await app.close();
        await services.close();
      },
    };
  },
});
