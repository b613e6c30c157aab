// npm test: static checks, build, throw-away Kafka and Redis, Jest with coverage; the last line is `N passed, N failed`.
//   npm test -- PATH...                       only these specs
//   npm run test:faults -- --minutes N --seed S     the fault tests alone, for longer
//   npm run test:deep -- --cases N            the property tests and the simulation with more cases
//   npm run test:deep -- test/simulation --seed N    one history of the simulation again
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './compile.mjs';
import { ensureInstalled, projectNode, withProjectPath } from './install.mjs';
import { main } from './main.mjs';
import { kafkaClassPath } from './native-kafka.mjs';
import { Closing, launch, run } from './processes.mjs';
import { root } from './read-env.mjs';
import { green, red, say } from './say.mjs';
import { readTestArguments, countJest } from './test-results.mjs';
import { startThrowAwayStores } from './throw-away.mjs';

const bin = (...path) => join(root, 'node_modules', ...path);
const staticChecks = [
  { name: 'prettier', args: [bin('prettier', 'bin', 'prettier.cjs'), '--check', '.'] },
  { name: 'oxlint', args: [bin('oxlint', 'bin', 'oxlint')] },
  { name: 'tsc', args: [bin('typescript', 'bin', 'tsc'), '--noEmit', '-p', 'tsconfig.json'] },
  { name: 'dependency-cruiser', args: [bin('dependency-cruiser', 'bin', 'dependency-cruise.mjs'), ...cruised()] },
  { name: 'knip', args: [bin('knip', 'bin', 'knip.js')] },
];

let passed = 0;
let failed = 0;

await main(async () => {
  const { mode, jestArgs, settings } = readTestArguments(process.argv.slice(2));
  const env = { ...withProjectPath(root, process.env), ...settings };
  await ensureInstalled({ root, env, say });
  // The build comes first: some checks follow imports into it.
  await count('build', () => build({ root, env, say }));
  if (mode === 'all') for (const check of staticChecks) await count(check.name, () => runCheck(check, env));
  await count('Kafka and Redis', () => runJest({ mode, jestArgs, env }), { alreadyCounted: true });
  say(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
});

function cruised() {
  return ['--config', '.dependency-cruiser.cjs', 'apps', 'libs', 'test'];
}

// One check is one test; it fails with the words of its tool.
async function count(name, work, { alreadyCounted = false } = {}) {
  try {
    await work();
    if (!alreadyCounted) passed += 1;
    if (!alreadyCounted) say(`${green('ok')} ${name}`);
  } catch (problem) {
    if (problem instanceof Closing) throw problem;
    failed += 1;
    say(`${red('FAILED')} ${name}\n${problem.message}`);
  }
}

async function runCheck({ name, args }, env) {
  const lines = [];
  const onLine = (line) => lines.push(line);
  try {
    await run({ name, command: projectNode(root), args, cwd: root, env: { ...env, NO_COLOR: '1' }, onLine });
  } catch (problem) {
    if (problem instanceof Closing) throw problem;
    throw new Error(lines.join('\n') || problem.message, { cause: problem });
  }
}

async function runJest({ mode, jestArgs, env }) {
  const stores = await startThrowAwayStores({ env, say });
  say(`Kafka at ${stores.brokers}, Redis ready. Running Jest ...`);
  const results = join(stores.dir, 'jest.json');
  const args = [bin('jest', 'bin', 'jest.js'), '--json', `--outputFile=${results}`, '--maxWorkers=2'];
  if (mode === 'all') args.push('--coverage');
  if (!process.stdout.isTTY) args.push('--no-colors'); // CI services would get them
  const jestEnv = {
    ...env,
    NODE_OPTIONS: [env.NODE_OPTIONS, '--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
      .filter(Boolean)
      .join(' '),
    KAFKA_BROKERS: stores.brokers,
    REDIS_URL: stores.redisUrl,
    CAUDAL_KAFKA_CLASSPATH: await kafkaClassPath({ env, say }),
  };
  const jest = launch({
    name: 'jest',
    command: projectNode(root),
    args: [...args, ...jestArgs],
    cwd: root,
    env: jestEnv,
    inherit: true,
  });
  const { code } = await jest.exited;
  const counted = countJest(readResults(results), code);
  passed += counted.passed;
  failed += counted.failed;
}

function readResults(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined; // Jest ended before it could write them
  }
}
