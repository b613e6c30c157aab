// The committed page must be what the commands say.
import { readFile } from 'node:fs/promises';
import { cliReference } from './reference.js';

it('docs/reference/cli.md is generated', async () => {
  expect(await readFile('docs/reference/cli.md', 'utf8')).toBe(cliReference());
});
