// npm run build: packages when they are missing, then TypeScript to dist.
import { build } from './compile.mjs';
import { ensureInstalled } from './install.mjs';
import { main } from './main.mjs';
import { readEnv, root } from './read-env.mjs';
import { say } from './say.mjs';

await main(async () => {
  const options = { root, env: readEnv(), say };
  await ensureInstalled(options);
  await build(options);
});
