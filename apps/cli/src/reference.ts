// The reference page of the command line, made from the same commands that `--help` shows.
import type { Command } from 'commander';
import { buildProgram } from './program.js';

const WIDTH = 100;

/** docs/reference/cli.md as it must be. */
export function cliReference(): string {
  const program = buildProgram();
  const parts = [
    '# The command line',
    '',
    '`npx caudal` in a clone; anywhere else from the packed package (`npm pack`, then `npm install caudal-*.tgz`). It asks',
    'ingest over HTTP, as everybody does: at `--url` or `CAUDAL_URL`, with the token of `--token-file`, `CAUDAL_TOKEN_FILE` or',
    '`CAUDAL_TOKEN`. Results go to stdout, everything else to stderr; with `--json` results are JSON documents, one a line,',
    'and a failure is one on stderr.',
    '',
    '| exit code | |',
    '|---|---|',
    '| 0 | done |',
    '| 1 | refused or failed: a file was refused by a check, a run did not complete, nobody answered |',
    '| 2 | wrong use: nothing was done |',
    '',
    'This page is generated (`npm run docs`).',
    '',
    ...section(program, '## caudal'),
    ...program.commands.flatMap((command) => section(command, `## caudal ${command.name()}`)),
  ];
  return parts.join('\n');
}

function section(command: Command, title: string): string[] {
  let help = '';
  command
    .configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => WIDTH, getOutHasColors: () => false })
    .outputHelp();
  return [title, '', '```', help.trimEnd(), '```', ''];
}
