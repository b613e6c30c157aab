// The ingest service: files in over HTTP, rows out to Kafka; answers what became of them.
import 'reflect-metadata';
import { setFlagsFromString } from 'node:v8';
import { IngestMetrics, createLogger, configOrExit, runService } from '#runtime';
import { startIngest } from './ingest.js';

// Nearly all that a file makes here is dropped at once. V8 would rather let its heap grow (to some 400 MiB) than look for
// that garbage: held small it takes a third less, at no cost that could be measured. Set here so that it holds however
// the service is started.
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--heap-growing-percent=10');
const config = configOrExit('ingest');
const logger = createLogger({ service: 'ingest', level: config.logLevel });
const metrics = new IngestMetrics();

await runService({
  name: 'ingest',
  logger,
  start: ({ fatal }) => startIngest({ config, logger, metrics, onFatal: fatal }),
});
