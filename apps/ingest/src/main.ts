// The ingest service: files in over HTTP, rows out to Kafka; answers what became of them.
import 'reflect-metadata';
import { setFlagsFromString } from 'node:v8';
import { IngestMetrics, createLogger, configOrExit, runService } from '#runtime';
import { startIngest } from './ingest.js';

// Nearly all that a file makes here is dropped at once: a young generation that grows (to some 100 MiB) would only hold
// memory, for no speed that could be measured. Set here so that it holds however the service is started.
setFlagsFromString('--semi-space-growth-factor=1');
const config = configOrExit('ingest');
const logger = createLogger({ service: 'ingest', level: config.logLevel });
const metrics = new IngestMetrics();

await runService({
  name: 'ingest',
  logger,
  start: ({ fatal }) => startIngest({ config, logger, metrics, onFatal: fatal }),
});
