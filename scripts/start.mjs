// npm start, npm run demo: from a bare clone to running services and the example's features, read from top to bottom.
//   --json   one JSON document on stdout when it is up, words on stderr
//   --empty  without the example      --demo  on throw-away data, values checked, ends after the table
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from './compile.mjs';
import { exampleFile, exampleTable, ingestExample, uploadUrl } from './example.mjs';
import { ensureInstalled, withProjectPath } from './install.mjs';
import { tryLock } from './lock.mjs';
import { main } from './main.mjs';
import { untilGone } from './pids.mjs';
import { freePort, takePort } from './ports.mjs';
import { guardIdentity, removeAtEnd } from './processes.mjs';
import { cacheDir, givenRedisUrl, readEnv, root, secretOf, stateDir, tokenFor } from './read-env.mjs';
import { bold, green, red, say, sayOnStderr } from './say.mjs';
import { originOf, services, startService, untilReady } from './services.mjs';
import { findStores, startStores } from './stores.mjs';
import { keepRunning } from './supervise.mjs';

const leftoverLimitMs = 20_000;
let isUp = false;

await main(
  async () => {
    const { demo, empty, json } = readArguments(process.argv.slice(2));
    if (json) sayOnStderr();
    const env = demo ? throwAway(readEnv()) : readEnv();
    await lockState(stateDir(env));
    const found = findStores(env);
    await ensureInstalled({ root, env, say });
    await ensureBuilt({ root, env, say });

    const ports = await takePorts({ env, found, quietly: demo });
    const stores = await startStores({ found, ports, env, say, keep: !demo });
    const own = (name) => (stores.started.some((one) => one.name === name) ? 'own' : 'given by the environment');
    say(
      `Kafka at ${withoutSecrets(stores.brokers)} (${own('kafka')}), Redis at ${withoutSecrets(stores.redisUrl)} (${own('redis')}).`,
    );

    const serviceEnv = environmentOfServices({ env, stores, ports });
    const running = await startServices({ env: serviceEnv, ports });
    const failed = Promise.race([...stores.started, ...running].map((one) => keepRunning({ ...one, say })));
    await Promise.race([untilReady({ waiting: running, say }), failed]);
    say(`Services are ready: ${running.map(({ name, origin }) => `${name} ${origin}`).join(', ')}.`);

    const { origin } = running[0];
    if (!empty) await Promise.race([showExample({ origin, env: serviceEnv, demo }), failed]);
    if (demo) return say(green('The demo is complete: every value is as it must be.'));
    say(`\n${bold('Caudal is up:')} ${origin}   (logs: ${join(stateDir(env), 'logs')}; Ctrl-C stops everything)`);
    say(
      `Upload another file:\n  curl ${secretOf(env, 'CAUDAL_TOKENS') ? "-H 'Authorization: Bearer TOKEN' " : ''}-H 'Content-Type: text/csv' --data-binary @FILE.csv '${uploadUrl(origin)}?wait=60'`,
    );
    if (json) process.stdout.write(`${JSON.stringify({ url: origin, pid: process.pid, state_dir: stateDir(env) })}\n`);
    isUp = true;
    await failed;
  },
  // Ctrl-C is how a start is meant to end: no failure. Before it is up, it is.
  (code) => (isUp ? 0 : code),
);

function readArguments(args) {
  const unknown = args.filter((arg) => !['--demo', '--empty', '--json'].includes(arg));
  if (unknown.length > 0)
    throw new Error(`Unknown: ${unknown.join(' ')}. npm start knows --empty (without the example) and --json.`);
  const has = (arg) => args.includes(arg);
  return { demo: has('--demo'), empty: has('--empty'), json: has('--json') };
}

// The demo's own data: a folder that is removed at the end, and on given brokers topics that nobody else uses.
function throwAway(env) {
  const dir = mkdtempSync(join(tmpdir(), 'caudal-demo-'));
  removeAtEnd(dir);
  const own = { CAUDAL_STATE_DIR: dir, CAUDAL_DATA_DIR: join(dir, 'data') };
  if (env.KAFKA_BROKERS) own.CAUDAL_TOPIC_PREFIX = `caudal-demo-${randomBytes(4).toString('hex')}`;
  return { ...env, ...own };
}

// One start per state folder. A start that crashed has left its guard behind, which may still be stopping things.
async function lockState(dir) {
  mkdirSync(dir, { recursive: true });
  const lock = tryLock(join(dir, 'lock'), { guard: guardIdentity() });
  if (lock.holder) {
    const { pid } = lock.holder;
    throw new Error(
      `Caudal already runs here: process ${pid} uses ${dir}. Stop it first (Ctrl-C there, or kill ${pid}), or set CAUDAL_STATE_DIR to another folder.`,
    );
  }
  process.once('exit', lock.release);
  const guard = lock.previous?.guard;
  if (!guard || (await untilGone([guard], 0)).length === 0) return;
  say('An earlier start has crashed; waiting until what it started is stopped ...');
  await untilGone([guard], leftoverLimitMs);
}

async function takePorts({ env, found, quietly }) {
  const options = { env, cacheDir: cacheDir(env), say: quietly ? () => {} : say };
  const take = async (port) => takePort({ ...options, ...port, usual: quietly ? await freePort() : port.usual });
  const ports = {};
  if (found.kafka.start) ports.kafka = await take({ name: 'Kafka', usual: 9092 });
  if (found.kafka.start) ports.controller = await take({ name: "Kafka's controller", usual: 9093 });
  if (found.redis.start) ports.redis = await take({ name: 'Redis', usual: 6379 });
  for (const { name, variable, usual } of services) {
    ports[name] = await take({ name, variable, usual, host: env.CAUDAL_HOST });
  }
  return ports;
}

function environmentOfServices({ env, stores, ports }) {
  const settings = { ...env, KAFKA_BROKERS: stores.brokers, CAUDAL_STATE_DIR: stateDir(env) };
  settings.REDIS_URL = givenRedisUrl(env) ?? `${stores.redisUrl.replace(/\/\d+$/, '')}/${env.REDIS_DB ?? 0}`;
  delete settings.REDIS_URL_FILE; // what it holds is in REDIS_URL now
  for (const { name, variable } of services) settings[variable] = String(ports[name]);
  return withProjectPath(root, settings);
}

async function startServices({ env, ports }) {
  const running = [];
  for (const { name } of services) {
    const program = await startService({ name, root, env, logDir: join(env.CAUDAL_STATE_DIR, 'logs'), say });
    running.push({ name, program, origin: originOf(env.CAUDAL_HOST ?? '127.0.0.1', ports[name]) });
  }
  return running;
}

async function showExample({ origin, env, demo }) {
  say(`Ingesting ${exampleFile} ...`);
  try {
    const run = await ingestExample({ root, origin, token: tokenFor(env, 'upload') });
    say(
      `Run ${run.id}: ${run.rows?.accepted} rows accepted${run.duplicate ? ' (this file was known already)' : ''}.\n`,
    );
    say(await exampleTable({ root, env, check: demo }));
  } catch (problem) {
    if (demo) throw problem;
    say(red(problem.message)); // the services are fine: they stay up, so that what went wrong can be looked at
  }
}

// An address of the environment may hold a password.
function withoutSecrets(address) {
  return address.replace(/\/\/[^@/]*@/, '//***@');
}
