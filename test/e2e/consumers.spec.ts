// The consumers under examples/ against real topics: they see every row once, also when an upload was cut off in the
// middle of a transaction, and none of Caudal's control records.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Stack } from '../harness/stack.js';

const exec = promisify(execFile);
const ROWS = 500;

describe('consumers of rows', () => {
  let stack: Stack;
  let dir = '';
  let seen: string[] = [];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'caudal-consumers-'));
    stack = await Stack.start({ partitions: 2 });
    const lines = Array.from({ length: ROWS }, (_, at) => `${at},2023-01-10T09:00:00Z,Cidade ${at % 7},SP,${at}.50`);
    const answer = await stack.upload(`cnpj,data_abertura,cidade,estado,capital_social\n${lines.join('\n')}\n`);
    expect(answer.status).toBe(200);
    await leaveAnAbortedRow();
    seen = (await stack.rows()).map((row) => `${row._upload} ${row._row}`).sort();
    expect(seen).toHaveLength(ROWS);
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  /** What a publisher leaves that dies before its commit: a row that nobody may see. */
  async function leaveAnAbortedRow(): Promise<void> {
    const transactionalId = `${stack.prefix}.aborted`;
    const open = () => stack.client.openTransactional({ transactionalId, transactionTimeoutMs: 10_000 });
    const producer = await open();
    const transaction = await producer.begin();
    await transaction.send([{ topic: stack.topics().rows, partition: 0, key: 'x', value: '{"_row":0}' }]);
    await producer.close();
    await (await open()).close(); // the fence aborts it
  }

  const idsOf = (text: string): string[] =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { _upload: string; _row: number })
      .map((row) => `${row._upload} ${row._row}`)
      .sort();

  it('in Python sees every row once', async () => {
    const python = join(dir, 'venv', 'bin', 'python');
    await exec('python3', ['-m', 'venv', join(dir, 'venv')]);
    const requirements = 'examples/consumers/python/requirements.txt';
    await exec(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
    const script = 'examples/consumers/python/consume_rows.py';
    const args = [script, '--brokers', process.env.KAFKA_BROKERS!, '--topic', stack.topics().rows];
    const { stdout, stderr } = await exec(python, args, { maxBuffer: 1 << 26 });
    expect(idsOf(stdout)).toEqual(seen);
    expect(stderr).toContain(`${ROWS} rows, 2 control records skipped`);
  }, 180_000);

  it("with Kafka's console consumer sees every row once", async () => {
    const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin', 'java') : 'java';
    expect(existsSync('examples/consumers/console/consume-rows.sh')).toBe(true);
    const main = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
    const consumer = `${java} -Xmx128m -cp ${process.env.CAUDAL_KAFKA_CLASSPATH!} ${main}`;
    const args = ['-f', 'examples/consumers/console/consume-rows.sh', process.env.KAFKA_BROKERS!, stack.topics().rows];
    const env = { ...process.env, KAFKA_CONSOLE_CONSUMER: consumer };
    // -f: no globbing of the class path's star.
    const { stdout } = await exec('bash', args, { env, maxBuffer: 1 << 26 });
    expect(idsOf(stdout)).toEqual(seen);
  }, 120_000);
});
