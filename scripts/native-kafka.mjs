// A real Kafka without Docker: Apache Kafka's own jars, one KRaft node on loopback, its data in a folder.
// Used by start, by test, and by tests that want a broker of their own to kill.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findJava } from './java.mjs';
import { stopLeftover, writePidFile } from './leftover.mjs';
import { fetchJars, hasJars } from './maven.mjs';
import { ranks } from './pids.mjs';
import { howItEnded, launch, restartable, run } from './processes.mjs';
import { refuseTakenPort } from './ports.mjs';
import { cacheDir } from './read-env.mjs';

const version = '4.1.0';
const jarsName = `kafka-${version}`;
const artifacts = [
  `org.apache.kafka:kafka_2.13:${version}`,
  `org.apache.kafka:kafka-tools:${version}`,
  'org.slf4j:slf4j-simple:1.7.36', // without a binding Kafka would not say why it stops
];
const startLimitMs = 90_000;
const slowMs = 20_000;
const graceMs = 8000;

/** Whether the jars are in the cache, so that no Maven is needed. */
export const hasKafkaJars = (env) => hasJars(cacheDir(env), jarsName);

/** The class path with Kafka's jars (server and tools); fetches them when the cache has none. */
export async function kafkaClassPath({ env = process.env, say }) {
  const options = { cacheDir: cacheDir(env), name: jarsName, label: `Kafka ${version}`, artifacts, env, say };
  return join(await fetchJars(options), '*');
}

/** server.properties of one node that is broker and controller; `more` over them. Pure. */
export function kafkaProperties({ port, controllerPort, logDir, more = {} }) {
  const settings = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': logDir.replaceAll('\\', '\\\\'),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'auto.create.topics.enable': false,
    // After kill -9 a node is refused until the session of its former self has expired: 9 s by default.
    'broker.session.timeout.ms': 6000,
    'broker.heartbeat.interval.ms': 1000,
    ...more,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/**
 * Starts Kafka on loopback and resolves when it answers. `stateDir` holds its data and survives restarts, other
 * ports and kill -9. `logFile`: where its own words go. Answers `{brokers, pid, exited, lastLines(), stop(), kill(),
 * restart()}`. `more`: further lines of server.properties. Throws an Error with its last lines when it does not come up.
 */
export async function startKafka({ stateDir, port, controllerPort, say, env = process.env, logFile, more }) {
  const java = findJava(env);
  if (!java.command)
    throw new Error(`Kafka needs a JRE of 17 or newer: ${java.problem}. Install one, or set KAFKA_BROKERS.`);
  const classPath = await kafkaClassPath({ env, say });
  mkdirSync(stateDir, { recursive: true });
  const dataDir = join(stateDir, 'data');
  const pidFile = join(stateDir, 'pid');
  const settings = join(stateDir, 'server.properties');
  const log = logFile ?? join(stateDir, 'kafka.log');
  const open = async () => {
    await stopLeftover({ name: 'Kafka', pidFile, graceMs, say });
    await refuseTakenPort('Kafka', port);
    if (!existsSync(dataDir))
      await format({ java: java.command, classPath, stateDir, dataDir, port, controllerPort, env, more });
    writeFileSync(settings, kafkaProperties({ port, controllerPort, logDir: dataDir, more }));
    const args = [
      '-Xmx1g',
      '-Xms256m',
      '-XX:+ExitOnOutOfMemoryError',
      ...logging,
      '-cp',
      classPath,
      'kafka.Kafka',
      settings,
    ];
    const child = launch({
      name: 'kafka',
      command: java.command,
      args,
      cwd: stateDir,
      env,
      rank: ranks.store,
      logFile: log,
    });
    writePidFile(pidFile, child.pid);
    await untilAnswers({ child, port, say });
    return child;
  };
  return Object.assign(await restartable({ open, graceMs }), { brokers: `127.0.0.1:${port}` });
}

const logging = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.showDateTime=true'];

// Into a folder beside it and then renamed: a start that is cut off in the middle leaves no half-made data folder.
async function format({ java, classPath, stateDir, dataDir, port, controllerPort, env, more }) {
  const fresh = join(stateDir, 'data.new');
  const settings = join(stateDir, 'format.properties');
  rmSync(fresh, { recursive: true, force: true });
  writeFileSync(settings, kafkaProperties({ port, controllerPort, logDir: fresh, more }));
  const tool = ['-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', clusterId(), '-c', settings];
  await run({ name: 'Kafka storage format', command: java, args: [...logging, ...tool], cwd: stateDir, env });
  renameSync(fresh, dataDir);
  rmSync(settings, { force: true });
}

// Kafka's own form: 16 bytes as URL-safe base64; a leading '-' would look like an option to its tool.
function clusterId() {
  return randomBytes(16).toString('base64url').replace(/^-/, 'A');
}

async function untilAnswers({ child, port, say }) {
  const startedMs = performance.now();
  let told = false;
  for (;;) {
    if (await speaksKafka(port)) return;
    const ended = await Promise.race([child.exited, sleep(100)]);
    const waitedMs = performance.now() - startedMs;
    if (ended || waitedMs > startLimitMs) {
      if (!ended) await child.stop(0);
      const why = ended ? `ended with ${howItEnded(ended)}` : `did not answer within ${startLimitMs / 1000} s`;
      throw new Error([`Kafka ${why}. Its last words:`, ...child.lastLines()].join('\n  '));
    }
    if (waitedMs > slowMs && !told)
      say?.('Kafka is still starting (a busy machine, or its log is looked through after a crash) ...');
    told = waitedMs > slowMs;
  }
}

/** Whether a Kafka answers an ApiVersions request on a loopback port: an open port alone may be anyone's. */
export function speaksKafka(port, limitMs = 2000) {
  const correlationId = 0x0cad;
  const request = Buffer.alloc(14); // length, api key 18, version 0, correlation id, null client id
  request.writeInt32BE(10, 0);
  request.writeInt16BE(18, 4);
  request.writeInt32BE(correlationId, 8);
  request.writeInt16BE(-1, 12);
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let answer = Buffer.alloc(0);
    const end = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(limitMs, () => end(false));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.once('connect', () => socket.write(request));
    socket.on('data', (part) => {
      answer = Buffer.concat([answer, part]);
      if (answer.length >= 10) end(answer.readInt32BE(4) === correlationId && answer.readInt16BE(8) === 0);
    });
  });
}
