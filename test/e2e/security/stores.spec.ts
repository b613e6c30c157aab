// Caudal as a guest: a Kafka that speaks TLS, knows users and gives them what lies below the prefix; a Redis behind TLS
// whose user may do what docs/security.md lists. Both are the spec's own.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { promisify } from 'node:util';
import { KafkaClient } from '#kafka';
import { openRedis } from '#redis';
import { openTestRedis } from '../../../libs/redis/src/testing.js';
import { startKafka, type OwnKafka } from '../../../scripts/native-kafka.mjs';
import { startRedis, type OwnRedis } from '../../../scripts/native-redis.mjs';
import { freePort } from '../../../scripts/ports.mjs';
import { company, fileOf } from '../../harness/companies.js';
import { Stack } from '../../harness/stack.js';

const TLS = resolve('test/harness/tls');
const CA_FILE = join(TLS, 'certificate.pem');
const CA = readFileSync(CA_FILE, 'utf8');
const KEY = readFileSync(join(TLS, 'key.pem'), 'utf8');
const PASSWORD = 'hunter2-hunter2';
const USER = 'caudal';
const run = promisify(execFile);

/** What the docs tell an operator to grant. */
const redisGrant = (): string[] => /ACL SETUSER (.*)/.exec(readFileSync('docs/security.md', 'utf8'))![1]!.split(' ');

/** TLS in front of a plain port. */
async function tlsBefore(port: number): Promise<{ server: Server; port: number }> {
  const server = createServer({ cert: CA, key: KEY }, (socket) => {
    const plain = connect({ host: '127.0.0.1', port });
    socket.pipe(plain).pipe(socket);
    for (const one of [socket, plain]) one.on('error', () => [socket, plain].forEach((both) => both.destroy()));
  });
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { server, port: (server.address() as { port: number }).port };
}

describe('stores that ask who comes', () => {
  let dir: string;
  let kafka: OwnKafka;
  let redis: OwnRedis;
  let tls: Awaited<ReturnType<typeof tlsBefore>>;
  let secureBrokers: string;
  let redisUrl: string;
  let stack: Stack;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-guest-'));
    await writeFile(join(dir, 'kafka.pem'), `${KEY}${CA}`);
    await writeFile(join(dir, 'password'), `${PASSWORD}\n`);
    const [port, controllerPort, securePort, redisPort] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    secureBrokers = `127.0.0.1:${securePort}`;
    const more = kafkaSettings(port, controllerPort, securePort);
    [kafka, redis] = await Promise.all([
      startKafka({ stateDir: join(dir, 'kafka'), port, controllerPort, more }),
      startRedis({ stateDir: join(dir, 'redis'), port: redisPort }),
    ]);
    tls = await tlsBefore(redisPort);
    redisUrl = `rediss://${USER}:${PASSWORD}@127.0.0.1:${tls.port}`;
    const admin = await openTestRedis(redis.url);
    await admin.call('ACL', 'SETUSER', ...redisGrant().map((one) => (one === '>PASSWORD' ? `>${PASSWORD}` : one)));
    admin.disconnect();
    await writeFile(join(dir, 'redis-url'), `${redisUrl}/1\n`);
    await grantKafka();
    stack = await Stack.start({
      prefix: 'guest',
      kafkaBrokers: kafka.brokers,
      redisUrl: redis.url,
      env: {
        KAFKA_BROKERS: secureBrokers,
        KAFKA_SSL: 'yes',
        KAFKA_SSL_CA_FILE: CA_FILE,
        KAFKA_SASL_MECHANISM: 'plain',
        KAFKA_SASL_USERNAME: USER,
        KAFKA_SASL_PASSWORD_FILE: join(dir, 'password'),
        REDIS_URL: `${redisUrl}/${1 + (Number(process.env.JEST_WORKER_ID ?? 1) % 12)}`,
        REDIS_TLS_CA_FILE: CA_FILE,
      },
    });
  }, 180_000);
  afterAll(async () => {
    await stack?.stop();
    tls?.server.close();
    await Promise.all([kafka?.stop(), redis?.stop()]);
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  function kafkaSettings(port: number, controllerPort: number, securePort: number): Record<string, string> {
    const login = 'org.apache.kafka.common.security.plain.PlainLoginModule required';
    return {
      listeners: `PLAINTEXT://127.0.0.1:${port},SECURE://${secureBrokers},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},SECURE://127.0.0.1:${securePort}`,
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL',
      'listener.name.secure.sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.secure.plain.sasl.jaas.config': `${login} user_${USER}="${PASSWORD}";`,
      'listener.name.secure.ssl.keystore.type': 'PEM',
      'listener.name.secure.ssl.keystore.location': join(dir, 'kafka.pem'),
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    };
  }

  /** Everything below the prefix, and nothing else. */
  async function grantKafka(): Promise<void> {
    const names = ['--topic', 'guest.', '--group', 'guest.', '--transactional-id', 'guest.'];
    const grant = ['--add', '--allow-principal', `User:${USER}`, '--operation', 'All'];
    await run('java', [
      '-cp',
      process.env.CAUDAL_KAFKA_CLASSPATH!,
      'org.apache.kafka.tools.AclCommand',
      '--bootstrap-server',
      kafka.brokers,
      ...grant,
      ...names,
      '--resource-pattern-type',
      'prefixed',
    ]);
  }

  const kafkaFor = (password: string, tlsOptions: { ca?: string }): KafkaClient =>
    new KafkaClient({
      brokers: [secureBrokers],
      clientId: 'caudal-test',
      security: { tls: tlsOptions, sasl: { mechanism: 'plain', username: USER, password } },
    });

  it('12.2.1, 13.2.2 a file goes all its way over TLS, as users that may do no more than they need', async () => {
    const file = fileOf([...Array.from({ length: 20 }, (_, n) => company(n, 'hóspede')), company(21, 'x', -1)]);
    const done = await stack.upload(file);
    expect(done.body).toMatchObject({ state: 'completed', rows: { published: 20, rejected: 1 } });
    expect(await stack.hash('hóspede')).toMatchObject({ quantidade_empresas: '20' });
    const rehearsal = await stack.upload(fileOf([company(1, 'ensaio')]), { query: 'wait=60&save_to_db=false' });
    expect(rehearsal.body).toMatchObject({ state: 'completed' });
    expect((await stack.request('/health/ready')).status).toBe(200);
    const admin = await openTestRedis(redis.url);
    const denied = (await admin.call('ACL', 'LOG')) as unknown[];
    admin.disconnect();
    expect(denied).toEqual([]);
  }, 120_000);

  it('13.2.2 a wrong password, and a topic beyond the prefix, are refused', async () => {
    const stranger = kafkaFor('wrong-wrong', { ca: CA });
    await expect(stranger.ping(5_000)).rejects.toThrow();
    await stranger.close();
    const guest = kafkaFor(PASSWORD, { ca: CA });
    await guest.ping(5_000);
    await expect(guest.ensureTopics([{ name: 'beyond', partitions: 1, config: {} }])).rejects.toMatchObject({
      code: 'topic_authorization_failed',
    });
    await guest.close();
    const asStranger = await openRedis({ url: redisUrl.replace(PASSWORD, 'wrong'), ca: CA });
    await expect(asStranger.ping()).rejects.toThrow();
    await asStranger.close();
  }, 30_000);

  it('12.2.1 a certificate that nobody signed is refused, and so is a plain connection to a TLS port', async () => {
    const trusting = kafkaFor(PASSWORD, {});
    await expect(trusting.ping(3_000)).rejects.toMatchObject({ code: 'kafka_unavailable' });
    await trusting.close();
    for (const url of [redisUrl, redisUrl.replace('rediss:', 'redis:')]) {
      const store = await openRedis({ url });
      await expect(store.ping()).rejects.toMatchObject({ code: 'redis_away' });
      await store.close();
    }
  }, 30_000);

  it('16.4.1 no password is in a log', () => {
    for (const { log } of stack.services) expect(log.includes(PASSWORD)).toBe(false);
  });
});
