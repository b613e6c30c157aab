// The configuration page has a row for every variable, with its default: the table in the code is the source.
import { readFileSync } from 'node:fs';
import { CONFIG_VARIABLES } from '#runtime';

const page = readFileSync('docs/reference/configuration.md', 'utf8');

describe('docs/reference/configuration.md', () => {
  it.each(CONFIG_VARIABLES.map((variable) => [variable.name, variable] as const))('%s', (name, variable) => {
    const shown = variable.default === null ? '' : `\`${variable.default}\``;
    expect(page).toContain(`| \`${name}\` | ${shown} | ${variable.meaning} |`);
  });

  it('names no variable that is not known', () => {
    const named = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1]);
    expect(named.sort()).toEqual(CONFIG_VARIABLES.map((variable) => variable.name).sort());
  });
});
