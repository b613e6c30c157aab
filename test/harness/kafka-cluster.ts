// Three Kafka nodes on loopback, each broker and controller: every topic on all three, two of them in sync. Small heaps:
// they share a test machine with everything else.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './stack.js';
import { startScript } from './start-script.js';

interface Child {
  pid: number;
  exited: Promise<unknown>;
  stop(graceMs: number): Promise<void>;
  lastLines(): string[];
}
interface Command {
  name: string;
  command: string;
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
}
interface Scripts {
  launch(command: Command & { rank: number; logFile: string }): Child;
  run(command: Command): Promise<void>;
  speaksKafka(port: number): Promise<boolean>;
}
interface Node {
  id: number;
  port: number;
  controllerPort: number;
}

/** What the client of Caudal does not tell, because no service needs it. */
const { Kafka } = createRequire(import.meta.url)('kafkajs') as {
  Kafka: new (options: object) => {
    admin(): {
      connect(): Promise<void>;
      disconnect(): Promise<void>;
      fetchTopicMetadata(args: {
        topics: string[];
      }): Promise<{ topics: { partitions: { leader: number; replicas: number[] }[] }[] }>;
    };
  };
};

const IDS = [1, 2, 3];
const CLUSTER_ID = 'Y2F1ZGFsLWNsdXN0ZXItMQ';
const START_LIMIT_MS = 90_000;
const STOP_GRACE_MS = 5_000;
const LOGGING = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn'];
const HEAP = ['-Xms96m', '-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

export class KafkaCluster {
  private readonly running = new Map<number, Child>();

  private constructor(
    private readonly scripts: Scripts,
    private readonly dir: string,
    private readonly nodes: readonly Node[],
  ) {}

  /** Resolves when all three answer. */
  static async start(): Promise<KafkaCluster> {
    const { launch, run } = await startScript<Scripts>('processes.mjs');
    const { speaksKafka } = await startScript<Scripts>('native-kafka.mjs');
    const dir = await mkdtemp(join(tmpdir(), 'caudal-cluster-'));
    const nodes: Node[] = [];
    for (const id of IDS) nodes.push({ id, port: await freePort(), controllerPort: await freePort() });
    const cluster = new KafkaCluster({ launch, run, speaksKafka }, dir, nodes);
    await Promise.all(IDS.map((id) => cluster.format(id)));
    await Promise.all(IDS.map((id) => cluster.startNode(id)));
    return cluster;
  }

  get brokers(): string {
    return this.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
  }

  /** Leader and replicas of every partition of a topic. */
  async partitionsOf(topic: string): Promise<{ leader: number; replicas: number[] }[]> {
    const brokers = this.brokers.split(',');
    const admin = new Kafka({ brokers, clientId: 'cluster', logLevel: 0 }).admin();
    await admin.connect();
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]!.partitions;
    } finally {
      await admin.disconnect();
    }
  }

  /** kill -9. */
  async kill(id: number): Promise<void> {
    const child = this.running.get(id)!;
    this.running.delete(id);
    process.kill(child.pid, 'SIGKILL');
    await child.exited;
  }

  /** Resolves when the node answers. */
  async startNode(id: number): Promise<void> {
    const { port } = this.node(id);
    const logFile = join(this.dir, `node-${id}.log`);
    const args = [...HEAP, ...LOGGING, '-cp', classPath(), 'kafka.Kafka', this.settingsFile(id)];
    const child = this.scripts.launch({ ...this.command(`kafka ${id}`, args), rank: 1, logFile });
    this.running.set(id, child);
    const giveUpAt = performance.now() + START_LIMIT_MS;
    while (!(await this.scripts.speaksKafka(port))) {
      const isOver = performance.now() > giveUpAt;
      if (isOver) throw new Error(`Kafka node ${id} does not answer:\n${child.lastLines().join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.running.values()].map((child) => child.stop(STOP_GRACE_MS)));
    await rm(this.dir, { recursive: true, force: true });
  }

  private async format(id: number): Promise<void> {
    await writeFile(this.settingsFile(id), this.settings(this.node(id)));
    const tool = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', this.settingsFile(id)];
    await this.scripts.run(this.command(`kafka format ${id}`, [...LOGGING, '-cp', classPath(), ...tool]));
  }

  private command(name: string, args: string[]): Command {
    const command = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java';
    return { name, command, args, cwd: this.dir, env: process.env };
  }

  private node(id: number): Node {
    return this.nodes.find((node) => node.id === id)!;
  }

  private settingsFile(id: number): string {
    return join(this.dir, `node-${id}.properties`);
  }

  private settings({ id, port, controllerPort }: Node): string {
    const settings = {
      'process.roles': 'broker,controller',
      'node.id': id,
      'controller.quorum.voters': this.nodes.map((node) => `${node.id}@127.0.0.1:${node.controllerPort}`).join(','),
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      'log.dirs': join(this.dir, `data-${id}`),
      'default.replication.factor': 3,
      'min.insync.replicas': 2,
      'offsets.topic.replication.factor': 3,
      'offsets.topic.num.partitions': 4,
      'transaction.state.log.replication.factor': 3,
      'transaction.state.log.min.isr': 2,
      'transaction.state.log.num.partitions': 4,
      'group.initial.rebalance.delay.ms': 0,
      'auto.create.topics.enable': false,
      'broker.session.timeout.ms': 6000,
      'broker.heartbeat.interval.ms': 1000,
      'num.network.threads': 2,
      'num.io.threads': 4,
    };
    return Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join('');
  }
}

/** Kafka's own jars, which the test run has fetched. */
function classPath(): string {
  const path = process.env.CAUDAL_KAFKA_CLASSPATH;
  if (path === undefined) throw new Error('CAUDAL_KAFKA_CLASSPATH is not set: run the tests by npm test');
  return path.replaceAll("'", '');
}
