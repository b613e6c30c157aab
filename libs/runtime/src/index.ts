// What every service needs around its work: configuration, logs, metrics, health and an orderly end.
export { CONFIG_VARIABLES, type AppName, type ConfigVariable } from './config-variables.js';
export {
  ConfigError,
  configOrExit,
  isLoopback,
  readConfig,
  redact,
  type KafkaSecurity,
  type ServiceConfig,
} from './config.js';
export { createLogger, kafkaLogger, nestLogger, type Logger } from './logger.js';
export { AggregatorMetrics, IngestMetrics, WriterMetrics } from './metrics.js';
export { callerOf } from './guard.js';
export { httpAdapter, httpOptions, secure, secureServer } from './http-server.js';
export { discardRest, PROBLEM_TYPE, problemText } from './problem-document.js';
export type { Client } from './tokens.js';
export { healthModule, type HealthOptions } from './health.js';
export { runService, type RunningService, type ServiceOptions, type StartContext } from './shutdown.js';
export { Opened } from './opened.js';
