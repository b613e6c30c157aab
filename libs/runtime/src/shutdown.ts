// The frame around a service's life: starts it, stops it in order on a signal or a fatal error, and says why it ended.
import type { Logger } from 'pino';
import { redact } from './config.js';

export interface RunningService {
  stop(): Promise<void>;
}

export interface StartContext {
  /** Ends the process with code 1 after an orderly stop: for errors that only a new process gets over. */
  readonly fatal: (error: unknown) => void;
}

export interface ServiceOptions {
  readonly name: string;
  readonly logger: Logger;
  /** Opens everything, or closes what it opened and rejects: a retriable rejection is tried again for 60 s. */
  readonly start: (context: StartContext) => Promise<RunningService>;
}

/** What is used of `process`; tests give their own. */
export type ServiceProcess = Pick<NodeJS.Process, 'on' | 'exit' | 'stderr' | 'getActiveResourcesInfo'>;

const STOP_MS = 10_000;
const START_RETRY_MS = 60_000;
const START_PAUSE_MS = 2_000;
const EXIT_CONFIG = 2;
const CONFIG_CODES = new Set(['invalid_config', 'invalid_pipeline_file']);
// A port that is taken or not ours to take: a person's matter, told in words as well.
const LISTEN_CODES: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'another program listens there: end it or set another port (CAUDAL_PORT, CAUDAL_AGGREGATOR_PORT, CAUDAL_WRITER_PORT)',
  EACCES: 'this user may not: set another port or path',
  EADDRNOTAVAIL: 'this machine has no such address: set another CAUDAL_HOST',
};

/**
 * Runs a service until a signal (exit code 0 after a clean stop) or a fatal error (1). Resolves when it has started.
 * A stop that takes longer than 10 s ends with code 1 and says what hung; a second signal ends at once.
 */
export async function runService(options: ServiceOptions, host: ServiceProcess = process): Promise<void> {
  await new ServiceLife(options, host).run();
}

class ServiceLife {
  #starting: Promise<RunningService> | undefined;
  #stopping = false;
  #signals = 0;

  constructor(
    private readonly options: ServiceOptions,
    private readonly host: ServiceProcess,
  ) {}

  async run(): Promise<void> {
    const { logger, name } = this.options;
    this.host.on('SIGTERM', () => this.#onSignal('SIGTERM'));
    this.host.on('SIGINT', () => this.#onSignal('SIGINT'));
    this.host.on('uncaughtException', (error) => this.#fatal(error));
    this.host.on('unhandledRejection', (error) => this.#fatal(error));
    try {
      await this.#startWithRetries();
      if (!this.#stopping) logger.info(`${name} has started`);
    } catch (error) {
      if (!this.#stopping) this.#endStart(error);
    }
  }

  /** Kafka may come up later than we do: what is retriable is tried again, and said. */
  async #startWithRetries(): Promise<void> {
    const { logger, name, start } = this.options;
    const givenUpAt = performance.now() + START_RETRY_MS;
    for (;;) {
      this.#starting = start({ fatal: (error) => this.#fatal(error) });
      try {
        await this.#starting;
        return;
      } catch (error) {
        this.#starting = undefined;
        const isPassing = fieldsOf(error).retriable === true;
        if (this.#stopping || !isPassing || performance.now() + START_PAUSE_MS > givenUpAt) throw error;
        logger.warn({ err: error }, `${name} cannot start yet; it tries again for 60 s`);
        await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
        if (this.#stopping) throw error;
      }
    }
  }

  /** Faults that a person mends are told in words, all others as a log line with their stack. */
  #endStart(error: unknown): void {
    const { logger, name } = this.options;
    const { code, message, retriable } = fieldsOf(error);
    const advice = typeof code === 'string' ? LISTEN_CODES[code] : undefined;
    if (typeof code === 'string' && (retriable === false || advice !== undefined)) {
      const text = redact(message ?? code);
      this.host.stderr.write(`${name} cannot start:\n${advice === undefined ? text : `${text}: ${advice}`}\n`);
      this.host.exit(CONFIG_CODES.has(code) ? EXIT_CONFIG : 1);
      return;
    }
    logger.fatal({ err: error }, `${name} cannot start`);
    this.host.exit(1);
  }

  #onSignal(signal: string): void {
    const { logger, name } = this.options;
    this.#signals += 1;
    if (this.#signals > 1) {
      logger.warn({ signal }, `${name} ends at once: second signal`);
      this.host.exit(1);
      return;
    }
    logger.info({ signal }, `${name} stops`);
    void this.#stop(0);
  }

  #fatal(error: unknown): void {
    this.options.logger.fatal({ err: error }, `${this.options.name} cannot go on`);
    void this.#stop(1);
  }

  /** Stops once; whatever comes meanwhile was logged, and the first reason gives the exit code. */
  async #stop(code: number): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    const { logger, name } = this.options;
    const timer = setTimeout(() => {
      logger.error({ active: countOf(this.host.getActiveResourcesInfo()) }, `${name} did not stop within 10 s`);
      this.host.exit(1);
    }, STOP_MS);
    try {
      const running = await this.#starting?.catch(() => undefined);
      await running?.stop();
    } catch (error) {
      logger.error({ err: error }, `${name} did not stop cleanly`);
      code = 1;
    }
    clearTimeout(timer);
    logger.info(`${name} has stopped`);
    this.host.exit(code);
  }
}

function fieldsOf(error: unknown): { code?: unknown; message?: string; retriable?: unknown } {
  return typeof error === 'object' && error !== null ? error : {};
}

function countOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
