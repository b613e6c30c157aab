// What every service needs around its work: configuration, logs, metrics, health and an orderly end.
export { CONFIG_VARIABLES, type AppName, type ConfigVariable } from './config-variables.js';
export { ConfigError, configOrExit, isLoopback, readConfig, redact, type ServiceConfig } from './config.js';
export { createLogger, kafkaLogger, nestLogger, type Logger } from './logger.js';
export { AggregatorMetrics, IngestMetrics, WriterMetrics } from './metrics.js';
export { healthModule, type HealthOptions } from './health.js';
export { runService, type RunningService, type ServiceOptions, type StartContext } from './shutdown.js';
export { Opened } from './opened.js';
