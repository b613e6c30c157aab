// The ingest service: files in over HTTP, rows out to Kafka; answers what became of them.
import 'reflect-metadata';
import { IngestMetrics, createLogger, configOrExit, runService } from '#runtime';
import { startIngest } from './ingest.js';

const config = configOrExit('ingest');
const logger = createLogger({ service: 'ingest', level: config.logLevel });
const metrics = new IngestMetrics();

await runService({
  name: 'ingest',
  logger,
  start: ({ fatal }) => startIngest({ config, logger, metrics, onFatal: fatal }),
});
