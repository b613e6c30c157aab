// Three brokers, every topic on all three: one that leads partitions dies by kill -9 while rows flow, and comes back.
// Nothing that was acknowledged is lost, nothing counts twice, and no service is touched.
import { KafkaCluster } from '../harness/kafka-cluster.js';
import { Oracle, startAudited } from '../harness/oracle.js';
import { type Stack, until } from '../harness/stack.js';
import { faultCase, Uploads } from './fault-case.js';

let cluster: KafkaCluster;
let stack: Stack;
let oracle: Oracle;
let uploads: Uploads;

beforeAll(async () => {
  cluster = await KafkaCluster.start();
  stack = await startAudited({ kafkaBrokers: cluster.brokers });
  oracle = new Oracle(stack);
  uploads = new Uploads(stack, oracle);
}, 240_000);
afterAll(async () => {
  await stack?.stop();
  await cluster?.stop();
}, 60_000);

describe('a leader of three brokers', () => {
  faultCase('killed and restarted while rows flow: the others take over, and all is exact', async ({ random }) => {
    const pids = stack.services.map(({ pid }) => pid);
    const partitions = await cluster.partitionsOf(stack.topics('vendas').rows);
    expect(partitions.map(({ replicas }) => replicas.length)).toEqual(partitions.map(() => 3));
    const victim = random.pick(partitions).leader;
    const run = await uploads.send(uploads.make({ seed: random.below(2 ** 31), rows: 100_000 }));
    const written = async () => (await stack.redis.hgetall('total:Cidade 0'))._upload === run;
    await until('the writer to write', written, 60_000);
    await cluster.kill(victim);
    expect((await stack.request(`/v1/runs/${run}`)).body.state).not.toBe('completed');
    await uploads.ended();
    await cluster.startNode(victim);
    await uploads.send(uploads.make({ seed: random.below(2 ** 31), rows: 5_000 }));
    await uploads.ended();
    expect(await oracle.check()).toEqual([]);
    expect(stack.services.map(({ pid, running }) => running && pid)).toEqual(pids);
  });
});
