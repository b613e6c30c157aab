// npm run docs: the pages that are made from the code, written where they belong; a test of each says when it is old.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt } from './compile.mjs';
import { ensureInstalled, withProjectPath } from './install.mjs';
import { main } from './main.mjs';
import { root } from './read-env.mjs';
import { say } from './say.mjs';

await main(async () => {
  const env = withProjectPath(root, process.env);
  await ensureInstalled({ root, env, say });
  await ensureBuilt({ root, env, say });
  const contracts = await import('../dist/libs/contracts/src/index.js');
  const { cliReference } = await import('../dist/apps/cli/src/reference.js');
  write('docs/pipeline.schema.json', `${JSON.stringify(contracts.pipelineJsonSchema(), null, 2)}\n`);
  write('docs/pipeline-reference.md', contracts.pipelineReference());
  write('docs/reference/cli.md', cliReference());
  return 0;
});

function write(path, text) {
  const file = join(root, path);
  if (readOrNothing(file) === text) return say(`${path} is as it must be.`);
  writeFileSync(file, text);
  return say(`${path} written.`);
}

function readOrNothing(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
