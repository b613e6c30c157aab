// The three services as real processes against the test run's Kafka and Redis, each stack with a topic prefix, a Redis
// database and ports of its own. Tests talk to it as users do: HTTP, topics, Redis.
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipelineTopics, type Run } from '#contracts';
import { KafkaClient, type KafkaRecord, type TopicSpec } from '#kafka';
import { openTestRedis, type TestRedis } from '../../libs/redis/src/testing.js';
import { serviceArgs } from '../../scripts/service-command.mjs';

export type ServiceName = 'ingest' | 'aggregator' | 'feature-writer';
const PORT_VARIABLES = {
  ingest: 'CAUDAL_PORT',
  aggregator: 'CAUDAL_AGGREGATOR_PORT',
  'feature-writer': 'CAUDAL_WRITER_PORT',
} as const;

export interface StackOptions {
  /** Default: one that nobody else has. */
  prefix?: string;
  partitions?: number;
  /** Default: the repository's own pipelines. */
  pipelinesDir?: string;
  env?: Record<string, string>;
  /** Default: one of each. */
  services?: ServiceName[];
  /** Sent with every request of the stack's own. */
  token?: string;
  kafkaBrokers?: string;
  /** Without a database number; the stack adds the worker's. */
  redisUrl?: string;
  /** Topics that are to stand, with settings of the test's own, before the services create theirs. */
  topics?: (prefix: string, partitions: number) => TopicSpec[];
  /** Extra arguments of node for one service, e.g. `--import` of a fault injector. */
  nodeArgs?: Partial<Record<ServiceName, string[]>>;
}

export interface HttpAnswer {
  status: number;
  headers: Headers;
  // The documents are as varied as the API; tests say what they expect of them.
  body: Record<string, never> & Partial<Run>;
  text: string;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `check` answers something truthy; the last error or `what` is told when it never does. */
export async function until<T>(what: string, check: () => Promise<T> | T, withinMs = 60_000): Promise<NonNullable<T>> {
  const giveUpAt = Date.now() + withinMs;
  let last: unknown = null;
  for (;;) {
    try {
      const value = await check();
      if (value) return value as NonNullable<T>;
    } catch (error) {
      last = error;
    }
    if (Date.now() > giveUpAt) throw new Error(`waited in vain for: ${what}`, { cause: last });
    await sleep(50);
  }
}

/** One service process. */
export class Service {
  private child: ChildProcess | null = null;
  private output = '';

  constructor(
    readonly name: ServiceName,
    readonly port: number,
    private readonly env: Record<string, string>,
    private readonly nodeArgs: string[],
    private readonly logFile: string,
  ) {}

  get pid(): number {
    if (!this.child?.pid) throw new Error(`${this.name} is not running`);
    return this.child.pid;
  }

  get running(): boolean {
    return this.child !== null && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** What the process has printed so far, all of its lives together. */
  get log(): string {
    return this.output;
  }

  start(extraNodeArgs: string[] = [], extraEnv: Record<string, string> = {}): void {
    const args = [...this.nodeArgs, ...extraNodeArgs, '--enable-source-maps', ...serviceArgs('.', this.name)];
    const child = spawn(process.execPath, args, {
      env: { ...this.env, ...extraEnv },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const file = createWriteStream(this.logFile, { flags: 'a' });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
        file.write(chunk);
      });
    }
    child.on('close', () => file.end());
    this.child = child;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Resolves with code or signal when the process has ended. */
  async exited(withinMs = 20_000): Promise<number | NodeJS.Signals> {
    const { child } = this;
    await until(`${this.name} to end`, () => !this.running, withinMs);
    return child!.exitCode ?? child!.signalCode!;
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (!this.running) return;
    this.signal(signal);
    await this.exited();
  }

  async ready(withinMs = 60_000): Promise<void> {
    await until(
      `${this.name} to be ready (its log: ${this.logFile})`,
      async () => {
        if (!this.running) throw new Error(`${this.name} has ended:\n${this.output.slice(-2000)}`);
        return (await fetch(`http://127.0.0.1:${this.port}/health/ready`, { signal: AbortSignal.timeout(3000) })).ok;
      },
      withinMs,
    );
  }
}

export class Stack {
  readonly services: Service[] = [];
  /** The ingest that requests go to; default the first one. */
  front: Service | null = null;

  private constructor(
    readonly prefix: string,
    readonly partitions: number,
    readonly client: KafkaClient,
    readonly redis: TestRedis,
    readonly stateDir: string,
    private readonly env: Record<string, string>,
    private readonly options: StackOptions,
  ) {}

  /** Starts the services and waits until all are ready. */
  static async start(options: StackOptions = {}): Promise<Stack> {
    const prefix = options.prefix ?? `t${Math.random().toString(36).slice(2, 10)}`;
    const partitions = options.partitions ?? 4;
    const kafkaBrokers = options.kafkaBrokers ?? process.env.KAFKA_BROKERS!;
    const database = 1 + (Number(process.env.JEST_WORKER_ID ?? 1) % 12);
    const redisUrl = new URL(options.redisUrl ?? process.env.REDIS_URL!);
    redisUrl.pathname = `/${database}`;
    const stateDir = await mkdtemp(join(tmpdir(), `caudal-${prefix}-`));
    const env = {
      ...(process.env as Record<string, string>),
      NODE_ENV: 'production',
      NODE_OPTIONS: '',
      KAFKA_BROKERS: kafkaBrokers,
      REDIS_URL: redisUrl.href,
      CAUDAL_TOPIC_PREFIX: prefix,
      CAUDAL_PARTITIONS: String(partitions),
      CAUDAL_STATE_DIR: stateDir,
      CAUDAL_DATA_DIR: join(stateDir, 'data'),
      CAUDAL_PIPELINES_DIR: options.pipelinesDir ?? 'pipelines',
      CAUDAL_SESSION_TIMEOUT_MS: '6000',
      CAUDAL_REDIS_CHECK_DELAY_MS: '200',
      ...options.env,
    };
    const client = new KafkaClient({ brokers: kafkaBrokers.split(','), clientId: 'caudal-test' });
    await client.connect();
    if (options.topics) await client.ensureTopics(options.topics(prefix, partitions));
    const redis = await openTestRedis(redisUrl.href);
    await redis.call('FLUSHDB');
    const stack = new Stack(prefix, partitions, client, redis, stateDir, env, options);
    for (const name of options.services ?? (['ingest', 'aggregator', 'feature-writer'] as const)) await stack.add(name);
    await stack.ready();
    return stack;
  }

  /** Starts one more process of a service; `extraEnv` over the stack's own. */
  async add(name: ServiceName, extraEnv: Record<string, string> = {}): Promise<Service> {
    const port = await freePort();
    const logFile = join(this.stateDir, `${name}-${this.services.length}.log`);
    const env = { ...this.env, ...extraEnv, [PORT_VARIABLES[name]]: String(port) };
    const service = new Service(name, port, env, this.options.nodeArgs?.[name] ?? [], logFile);
    this.services.push(service);
    service.start();
    return service;
  }

  service(name: ServiceName): Service {
    return this.services.find((service) => service.name === name)!;
  }

  async ready(): Promise<void> {
    await Promise.all(this.services.map((service) => service.ready()));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.front ?? this.service('ingest')).port}`;
  }

  async request(path: string, init: RequestInit = {}): Promise<HttpAnswer> {
    const headers = new Headers(init.headers);
    if (this.options.token && !headers.has('authorization')) {
      headers.set('authorization', `Bearer ${this.options.token}`);
    }
    const response = await fetch(`${this.url}${path}`, { ...init, headers });
    const text = await response.text();
    const json = (response.headers.get('content-type') ?? '').includes('json');
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: json && text !== '' ? JSON.parse(text) : {},
    };
  }

  /** POSTs a file; `query` such as `wait=60&save_to_db=false`. */
  async upload(
    file: string | Uint8Array,
    how: { pipeline?: string; query?: string; headers?: Record<string, string> } = {},
  ): Promise<HttpAnswer> {
    return this.request(`/v1/pipelines/${how.pipeline ?? 'empresas'}/uploads?${how.query ?? 'wait=120'}`, {
      method: 'POST',
      headers: { 'content-type': 'text/csv', ...how.headers },
      body: file as RequestInit['body'],
    });
  }

  async example(): Promise<Buffer> {
    return readFile('examples/novas_empresas.csv');
  }

  /** Waits until the run has ended. */
  async ended(run: string, withinMs = 120_000): Promise<HttpAnswer> {
    const over = new Set(['completed', 'rejected', 'failed', 'cancelled']);
    return until(
      `run ${run} to end`,
      async () => {
        const answer = await this.request(`/v1/runs/${run}`);
        return over.has(answer.body.state!) ? answer : null;
      },
      withinMs,
    );
  }

  /** All records of a topic as a read_committed consumer sees them, control records of Caudal's included. */
  async records(topic: string): Promise<KafkaRecord[]> {
    const records: KafkaRecord[] = [];
    const partitions = await this.client.partitionCount(topic);
    for (let partition = 0; partition < partitions; partition++) {
      await this.client.readPartition({ topic, partition, onRecord: (record) => void records.push(record) });
    }
    return records;
  }

  topics(pipeline = 'empresas') {
    return pipelineTopics(this.prefix, pipeline);
  }

  /** The published rows as JSON, in log order per partition. */
  async rows(pipeline = 'empresas'): Promise<Record<string, string | number | null>[]> {
    const records = await this.records(this.topics(pipeline).rows);
    return records.filter((record) => record.key !== null).map((record) => JSON.parse(record.value!.toString()));
  }

  async hash(key: string): Promise<Record<string, string>> {
    return (await this.redis.hgetall(key)) as Record<string, string>;
  }

  /** Stops everything, deletes topics and files. */
  async stop(): Promise<void> {
    await Promise.all(
      this.services.map(async (service) => {
        if (!service.running) return;
        service.signal('SIGCONT');
        await service.kill('SIGTERM').catch(() => service.kill('SIGKILL'));
      }),
    );
    const topics = (await this.client.listTopics()).filter((topic) => topic.startsWith(`${this.prefix}.`));
    if (topics.length > 0) await this.client.deleteTopics(topics);
    await this.client.close();
    await this.redis.call('FLUSHDB');
    this.redis.disconnect();
    await rm(this.stateDir, { recursive: true, force: true });
  }
}

/** A port of loopback that nobody has now. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address() as { port: number };
      server.close(() => resolve(address.port));
    });
  });
}
