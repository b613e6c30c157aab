// npm run build: packages when they are missing, then TypeScript to dist.
//   --changed  only when a source has changed since the last time (npm pack)
import { build, ensureBuilt } from './compile.mjs';
import { ensureInstalled } from './install.mjs';
import { main } from './main.mjs';
import { readEnv, root } from './read-env.mjs';

await main(async () => {
  // npm pack prints the tarball's name on stdout, and nothing else may stand there.
  const options = { root, env: readEnv(), say: (text) => process.stderr.write(`${text}\n`) };
  await ensureInstalled(options);
  await (process.argv.includes('--changed') ? ensureBuilt(options) : build(options));
});
