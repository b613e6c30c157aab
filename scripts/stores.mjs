// Where Kafka and Redis come from, in the contract's order: the environment, else native, else Docker. Decided before anything is
// downloaded, so that one message can say all that is missing.
import { join } from 'node:path';
import { hasDocker, startDockerKafka, startDockerRedis } from './docker-stores.mjs';
import { findJava, hasMaven, javaMajorMin } from './java.mjs';
import { hasKafkaJars, startKafka } from './native-kafka.mjs';
import { artifactRedis, hasRedisServer, startRedis } from './native-redis.mjs';
import { givenRedisUrl, stateDir } from './read-env.mjs';

// One way a line: `find(env)` answers `{start}` or `{problem}`; the first that starts is taken.
const kafkaWays = [
  { find: (env) => (env.KAFKA_BROKERS ? { given: env.KAFKA_BROKERS } : { problem: 'KAFKA_BROKERS is not set' }) },
  { find: findNativeKafka },
  { find: findDocker(startDockerKafka) },
];
const redisWays = [
  { find: (env) => (givenRedisUrl(env) ? { given: givenRedisUrl(env) } : { problem: 'REDIS_URL is not set' }) },
  { find: findNativeRedis },
  { find: findDocker(startDockerRedis) },
];

function findNativeKafka(env) {
  const java = findJava(env);
  const problems = [];
  if (!java.command) problems.push(`a JRE of ${javaMajorMin} or newer is needed (${java.problem})`);
  if (!hasKafkaJars(env) && !hasMaven(env)) problems.push('`mvn` (Maven) is needed and was not found');
  return problems.length > 0 ? { problem: problems.join(', ') } : { start: startKafka };
}

function findNativeRedis(env) {
  if (hasRedisServer(env)) return { start: startRedis };
  const artifact = artifactRedis(env);
  if (artifact?.cached || (artifact && hasMaven(env))) return { start: startRedis };
  const other = artifact ? '`mvn` (Maven) to fetch one' : `no ready binary for ${process.platform} ${process.arch}`;
  return { problem: `\`redis-server\` of 6.2 or newer was not found, nor ${other}` };
}

function findDocker(start) {
  return (env) => (hasDocker(env) ? { start } : { problem: 'no Docker daemon answers (`docker info`)' });
}

// One after the other: asking a daemon takes time, and is needed only where nothing else works.
function firstWay(ways, env) {
  const problems = [];
  for (const way of ways) {
    const found = way.find(env);
    if (!found.problem) return found;
    problems.push(found.problem);
  }
  return { problems };
}

/**
 * Decides for both. Answers `{kafka, redis}`, each `{given}` (an address) or `{start}` (a function).
 * Throws one Error that names everything missing and what to install.
 */
export function findStores(env) {
  const kafka = firstWay(kafkaWays, env);
  const redis = firstWay(redisWays, env);
  if (!kafka.problems && !redis.problems) return { kafka, redis };
  const lines = ['Caudal found no way to get what it needs:'];
  if (kafka.problems) lines.push(`  Kafka: ${kafka.problems.join('; ')}`);
  if (redis.problems) lines.push(`  Redis: ${redis.problems.join('; ')}`);
  lines.push(
    `Install a JRE of ${javaMajorMin} or newer and Maven, then start again:`,
    '  Debian, Ubuntu: sudo apt install openjdk-17-jre-headless maven',
    '  macOS: brew install openjdk@17 maven',
    'or start a Docker daemon, or name running ones: KAFKA_BROKERS=host:9092 REDIS_URL=redis://host:6379',
  );
  throw new Error(lines.join('\n'));
}

/**
 * Starts what is not given, one after the other (both may have to download). `ports`: `{kafka, controller, redis}`.
 * `keep`: the data of containers outlives them; that of native ones lies in `dir` in any case.
 * Answers `{brokers, redisUrl, started: [{name, program}]}`.
 */
export async function startStores({ found, ports, env, say, dir = stateDir(env), keep = true }) {
  const logFile = (name) => join(dir, 'logs', `${name}.log`);
  const start = async (name, way, options) => {
    if (!way.start) return undefined;
    return way.start({ stateDir: join(dir, name), logFile: logFile(name), env, say, keep, ...options });
  };
  const redis = await start('redis', found.redis, { port: ports.redis });
  const kafka = await start('kafka', found.kafka, { port: ports.kafka, controllerPort: ports.controller });
  const started = [
    { name: 'kafka', program: kafka },
    { name: 'redis', program: redis },
  ].filter(({ program }) => program);
  return { brokers: kafka?.brokers ?? found.kafka.given, redisUrl: redis?.url ?? found.redis.given, started };
}
