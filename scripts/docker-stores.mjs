// The third way to a Kafka and a Redis: containers, when a Docker daemon answers. A client without a daemon is common, so
// the daemon is asked; that the program is there says nothing.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { speaksKafka } from './native-kafka.mjs';
import { speaksRedis } from './native-redis.mjs';
import { ranks } from './pids.mjs';
import { refuseTakenPort } from './ports.mjs';
import { howItEnded, launch, restartable, run } from './processes.mjs';
import { startProgress } from './say.mjs';

const askLimitMs = 10_000;
const startLimitMs = 120_000;
const graceMs = 10_000;
const dataFolders = { kafka: '/var/lib/kafka/data', redis: '/data' };

/** Whether a Docker daemon answers. */
export function hasDocker(env) {
  const asked = spawnSync('docker', ['info', '--format', '{{.ServerVersion}}'], {
    env,
    encoding: 'utf8',
    timeout: askLimitMs,
  });
  return asked.status === 0 && asked.stdout.trim() !== '';
}

/** A name of its own for each state folder, so that two clones never meet. Pure. */
export function containerName(stateDir, store) {
  return `caudal-${createHash('sha256').update(stateDir).digest('hex').slice(0, 12)}-${store}`;
}

/** The arguments of `docker run`. `keep`: the data outlives the container, in a volume of the same name. Pure. */
export function runArguments({ store, name, image, port, inside, settings = {}, command = [], keep }) {
  const variables = Object.entries(settings).flatMap(([key, value]) => ['--env', `${key}=${value}`]);
  const volume = keep ? ['--volume', `${name}:${dataFolders[store]}`] : [];
  const publish = ['--publish', `127.0.0.1:${port}:${inside}`];
  return ['run', '--rm', '--init', '--name', name, ...publish, ...volume, ...variables, image, ...command];
}

/** Settings of one KRaft node in the official image, as in docker-compose.yml. */
function kafkaSettings(port) {
  return {
    KAFKA_NODE_ID: 1,
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
    // The published port is not there inside, where the broker writes its transaction markers to itself.
    KAFKA_LISTENERS: 'INSIDE://localhost:9094,OUTSIDE://:9092,CONTROLLER://localhost:9093',
    KAFKA_ADVERTISED_LISTENERS: `INSIDE://localhost:9094,OUTSIDE://127.0.0.1:${port}`,
    KAFKA_INTER_BROKER_LISTENER_NAME: 'INSIDE',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT',
    KAFKA_LOG_DIRS: dataFolders.kafka,
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: 1,
    KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: 4,
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: 1,
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: 1,
    KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS: 4,
    KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR: 1,
    KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR: 1,
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: 0,
    KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    KAFKA_HEAP_OPTS: '-Xms256m -Xmx1g',
  };
}

/** As startKafka of native-kafka.mjs, in a container. */
export async function startDockerKafka({ stateDir, port, say, env, logFile, keep }) {
  const options = { store: 'kafka', image: 'apache/kafka:4.1.0', inside: 9092, settings: kafkaSettings(port) };
  const program = await startContainer({ ...options, stateDir, port, say, env, logFile, keep, speaks: speaksKafka });
  return Object.assign(program, { brokers: `127.0.0.1:${port}` });
}

/** As startRedis of native-redis.mjs, in a container. */
export async function startDockerRedis({ stateDir, port, say, env, logFile, keep }) {
  const command = ['redis-server', '--appendonly', 'yes'];
  const options = { store: 'redis', image: 'redis:7', inside: 6379, command };
  const program = await startContainer({ ...options, stateDir, port, say, env, logFile, keep, speaks: speaksRedis });
  return Object.assign(program, { url: `redis://127.0.0.1:${port}/0` });
}

async function startContainer({ store, stateDir, image, port, say, env, logFile, keep, speaks, ...rest }) {
  await ensureImage({ image, env, say });
  const name = containerName(stateDir, store);
  const open = async () => {
    // What an earlier start has left behind: its client was killed before the container had ended.
    spawnSync('docker', ['rm', '--force', name], { env, stdio: 'ignore' });
    await refuseTakenPort(store, port);
    const args = runArguments({ store, name, image, port, keep, ...rest });
    // In the foreground: the client hands SIGTERM on to the container and ends with it.
    const child = launch({ name: store, command: 'docker', args, env, rank: ranks.store, logFile });
    await untilSpeaks({ store, child, port, speaks });
    return child;
  };
  return restartable({ open, graceMs });
}

async function ensureImage({ image, env, say }) {
  if (spawnSync('docker', ['image', 'inspect', image], { env, stdio: 'ignore' }).status === 0) return;
  say(`Docker: fetching ${image} ...`);
  const progress = startProgress(() => `docker pull ${image}`);
  try {
    await run({ name: `docker pull ${image}`, command: 'docker', args: ['pull', '--quiet', image], env });
  } finally {
    progress.end(`Docker: ${image} is ready`);
  }
}

async function untilSpeaks({ store, child, port, speaks }) {
  const endMs = performance.now() + startLimitMs;
  while (!(await speaks(port))) {
    const ended = await Promise.race([child.exited, sleep(100)]);
    if (!ended && performance.now() < endMs) continue;
    if (!ended) await child.stop(0);
    const why = ended ? `ended with ${howItEnded(ended)}` : `did not answer within ${startLimitMs / 1000} s`;
    throw new Error([`The ${store} container ${why}. Its last words:`, ...child.lastLines()].join('\n  '));
  }
}
