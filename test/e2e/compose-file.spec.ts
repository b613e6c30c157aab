// docker-compose.yml and the Dockerfile against what the services know and the contract promises; no Docker is needed.
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { CONFIG_VARIABLES } from '#runtime';
import { ImageFile } from '../harness/dockerfile.js';

interface ComposeService {
  readonly image?: string;
  readonly build?: string;
  readonly restart?: string;
  readonly init?: boolean;
  readonly container_name?: string;
  readonly stop_grace_period?: string;
  readonly command?: string[];
  readonly ports?: string[];
  readonly volumes?: string[];
  readonly environment?: Record<string, string | number | null>;
  readonly depends_on?: Record<string, { condition: string }>;
  readonly healthcheck?: { test: string[]; start_period: string };
}

const text = readFileSync('docker-compose.yml', 'utf8');
const compose = parse(text, { merge: true }) as {
  services: Record<string, ComposeService>;
  volumes: Record<string, null>;
};
const image = new ImageFile();
const ours = ['ingest', 'aggregator', 'feature-writer'];
const service = (name: string): ComposeService => compose.services[name]!;
const variable = new Map(CONFIG_VARIABLES.map((row) => [row.name, row]));
const healthy = { condition: 'service_healthy' };

// Of compose alone: where Kafka and Redis are found from this machine.
const hostPorts = ['CAUDAL_KAFKA_PORT', 'CAUDAL_REDIS_PORT'];
// Inside a container these are as compose or the image needs them; CAUDAL_PORT is the port on the host.
const notPassed = [
  'CAUDAL_PORT',
  'CAUDAL_AGGREGATOR_PORT',
  'CAUDAL_WRITER_PORT',
  'CAUDAL_DATA_DIR',
  'CAUDAL_STATE_DIR',
  'CAUDAL_PIPELINES_DIR',
  'CAUDAL_CACHE',
  'REDIS_HOST',
  'REDIS_PORT',
  'REDIS_DB',
  // Compose brings its own Kafka and Redis, on a network of its own; secrets of a file need a mount as well.
  'REDIS_TLS_CA_FILE',
  'KAFKA_SSL',
  'KAFKA_SSL_CA_FILE',
  'KAFKA_SASL_MECHANISM',
  'KAFKA_SASL_USERNAME',
  'KAFKA_SASL_PASSWORD',
  ...CONFIG_VARIABLES.filter(({ secret }) => secret).map(({ name }) => `${name}_FILE`),
];

describe('docker-compose.yml', () => {
  it('has the five services, each restarted, stopped gently and checked', () => {
    expect(Object.keys(compose.services).sort()).toEqual([...ours, 'kafka', 'redis'].sort());
    expect(service('kafka').image).toBe('apache/kafka:4.1.0');
    expect(service('redis').image).toBe('redis:7');
    for (const [name, one] of Object.entries(compose.services)) {
      expect([name, one.restart]).toEqual([name, 'unless-stopped']);
      expect(Number(/^(\d+)s$/.exec(one.stop_grace_period ?? '')?.[1])).toBeGreaterThanOrEqual(15);
    }
    for (const name of ['kafka', 'redis']) expect(service(name).healthcheck?.test[0]).toBe('CMD-SHELL');
    for (const name of ours) expect(service(name)).toMatchObject({ build: '.', init: true });
    expect(image.last('HEALTHCHECK').flags).toMatchObject({ interval: '5s', 'start-period': '90s' });
  });

  it('publishes on 127.0.0.1 only, at ports that can be set, and nothing that may be scaled', () => {
    const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
    expect(published).toHaveLength(3);
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\$\{CAUDAL_[A-Z_]*PORT:-\d+\}:\d+$/);
    for (const name of ['aggregator', 'feature-writer']) expect(service(name).ports).toBeUndefined();
    for (const one of Object.values(compose.services)) expect(one.container_name).toBeUndefined();
  });

  it('starts each service after what it needs is healthy', () => {
    expect(service('ingest').depends_on).toEqual({ kafka: healthy, redis: healthy });
    expect(service('aggregator').depends_on).toEqual({ kafka: healthy });
    expect(service('feature-writer').depends_on).toEqual({ kafka: healthy, redis: healthy });
  });

  it('uses variables that the configuration knows, and passes on every one that may be set', () => {
    for (const name of ours) {
      const { SERVICE, ...rest } = service(name).environment!;
      expect(SERVICE).toBe(name);
      expect(Object.keys(rest).sort()).toEqual([...variable.keys()].filter((one) => !notPassed.includes(one)).sort());
      expect(rest).toMatchObject({ CAUDAL_HOST: '0.0.0.0', CAUDAL_ALLOW_OPEN: 'yes' });
    }
    const substituted = [...text.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
    expect(substituted.filter((name) => !variable.has(name) && !hostPorts.includes(name))).toEqual([]);
    const { SERVICE, NODE_ENV, ...rest } = image.environment;
    expect([SERVICE, NODE_ENV]).toEqual(['ingest', 'production']);
    expect(Object.keys(rest).filter((name) => !variable.has(name))).toEqual([]);
  });

  it('has ports inside that are the defaults of the configuration', () => {
    const port = (name: string): string => variable.get(name)!.default!;
    const known = ['CAUDAL_PORT', 'CAUDAL_AGGREGATOR_PORT', 'CAUDAL_WRITER_PORT'].map((name) => [name, port(name)]);
    expect(service('ingest').ports).toEqual([
      `127.0.0.1:\${CAUDAL_PORT:-${port('CAUDAL_PORT')}}:${port('CAUDAL_PORT')}`,
    ]);
    expect(image.last('EXPOSE').text.split(' ')).toEqual(known.map(([, number]) => number));
    const asked = readFileSync('scripts/container-health.mjs', 'utf8').matchAll(/env\.(CAUDAL_\w+) \|\| (\d+)/g);
    expect([...asked].map(([, name, number]) => [name, number])).toEqual(known);
  });

  it('mounts pipelines and data, and keeps what must survive in volumes', () => {
    for (const name of ours) expect(service(name).volumes).toContain('./pipelines:/app/pipelines:ro');
    expect(service('ingest').volumes).toContain('./data:/app/data');
    expect(service('ingest').volumes).toContain(`state:${image.environment.CAUDAL_STATE_DIR}`);
    for (const dir of ['files', 'inbox']) expect(existsSync(`data/${dir}/.gitkeep`)).toBe(true);
    const kafkaDir = service('kafka').environment!.KAFKA_LOG_DIRS;
    expect(service('kafka').volumes).toEqual([`kafka:${kafkaDir}`]);
    expect(service('redis')).toMatchObject({
      volumes: ['redis:/data'],
      command: ['redis-server', '--appendonly', 'yes'],
    });
    expect(Object.keys(compose.volumes).sort()).toEqual(['kafka', 'redis', 'state']);
  });

  it('tells programs inside and outside where to find Kafka', () => {
    const settings = service('kafka').environment!;
    expect(service('ingest').environment!.KAFKA_BROKERS).toBe('kafka:9092');
    expect(settings.KAFKA_ADVERTISED_LISTENERS).toBe(
      'INSIDE://kafka:9092,OUTSIDE://127.0.0.1:${CAUDAL_KAFKA_PORT:-9092}',
    );
    expect(service('kafka').ports).toEqual(['127.0.0.1:${CAUDAL_KAFKA_PORT:-9092}:9094']);
    expect(settings.KAFKA_LISTENERS).toContain('OUTSIDE://:9094');
    expect(settings.KAFKA_AUTO_CREATE_TOPICS_ENABLE).toBe('false');
    const copies = Object.entries(settings).filter(([name]) => /REPLICATION_FACTOR|MIN_ISR/.test(name));
    expect(copies.map(([, value]) => value)).toEqual([1, 1, 1, 1, 1]);
  });

  it('is explained: each variable that has an effect is in the page', () => {
    const page = readFileSync('docs/operations/compose.md', 'utf8');
    const effective = [
      ...hostPorts,
      'CAUDAL_PORT',
      ...Object.entries(service('ingest').environment!).flatMap(([name, value]) => (value === null ? [name] : [])),
    ];
    expect(effective.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});

describe('Dockerfile and .dockerignore', () => {
  it('runs as another user than root, from node:24-slim', () => {
    expect(image.last('USER').text).toBe('node');
    expect(new Set(image.stages.map(({ from }) => from).filter((from) => from.includes(':')))).toEqual(
      new Set(['node:24-slim']),
    );
    // What it evaluates begins so: no shell stands between SIGTERM and node.
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    for (const name of ['ingest', 'aggregator', 'feature-writer'])
      expect(scripts[`start:${name}`]).toMatch(/^exec node /);
  });

  it('sees nothing of the clone but what it copies', () => {
    const lines = readFileSync('.dockerignore', 'utf8')
      .split('\n')
      .filter((line) => line && !line.startsWith('#'));
    const letIn = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
    const copies = image.stages.flatMap(({ instructions }) => instructions.filter(({ keyword }) => keyword === 'COPY'));
    const sources = copies.filter(({ flags }) => !flags.from).flatMap(({ text }) => text.split(' ').slice(0, -1));
    expect(lines[0]).toBe('*');
    expect([...new Set(sources)].sort()).toEqual(letIn.sort());
  });
});
