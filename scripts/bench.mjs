// npm run bench: the benchmark on built code, with a Kafka and a Redis of its own; its arguments are passed on.
import { join } from 'node:path';
import { ensureBuilt } from './compile.mjs';
import { ensureInstalled, projectNode, withProjectPath } from './install.mjs';
import { main } from './main.mjs';
import { kafkaClassPath } from './native-kafka.mjs';
import { launch } from './processes.mjs';
import { root } from './read-env.mjs';
import { say } from './say.mjs';
import { startThrowAwayStores } from './throw-away.mjs';

await main(async () => {
  const env = withProjectPath(root, process.env);
  await ensureInstalled({ root, env, say });
  await ensureBuilt({ root, env, say });
  const { brokers, redisUrl } = await startThrowAwayStores({ env, say });
  const settings = {
    KAFKA_BROKERS: brokers,
    REDIS_URL: redisUrl,
    CAUDAL_KAFKA_CLASSPATH: await kafkaClassPath({ env, say }),
  };
  const args = [join(root, 'bench', 'main.mjs'), ...process.argv.slice(2)];
  const bench = launch({
    name: 'bench',
    command: projectNode(root),
    args,
    cwd: root,
    env: { ...env, ...settings },
    inherit: true,
  });
  const { code } = await bench.exited;
  return code ?? 1;
});
