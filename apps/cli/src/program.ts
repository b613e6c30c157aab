// The command tree: names, options, help. Each command's work is in commands/; `--help` and the reference page of the
// docs come from here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { Api } from './api.js';
import { dryRun } from './commands/dry-run.js';
import { ingest } from './commands/ingest.js';
import { reset } from './commands/reset.js';
import { cancelRun, deadLetters, listRuns, retryRun, showRun } from './commands/runs.js';
import { start } from './commands/start.js';
import { validate } from './commands/validate.js';
import { EXIT, Failure } from './failure.js';
import { packageRoot } from './package-root.js';
import { readToken } from './token.js';
import { openTerminal, type Terminal } from './terminal.js';

const DEFAULT_URL = 'http://127.0.0.1:8080';

interface Shared {
  json?: true;
  url: string;
  tokenFile?: string;
}

/** Adds the options of all commands that ask a running Caudal. */
function remote(command: Command): Command {
  return local(command)
    .addOption(new Option('--url <url>', 'address of ingest').env('CAUDAL_URL').default(DEFAULT_URL).argParser(httpUrl))
    .addOption(new Option('--token-file <file>', 'file that holds an access token (or CAUDAL_TOKEN holds it)'));
}

function local(command: Command): Command {
  return command.option('--json', 'print results as JSON, one document a line').allowExcessArguments(false);
}

function opened(command: Command): { api: Api; terminal: Terminal } {
  const { json, url, tokenFile } = command.optsWithGlobals<Shared>();
  return { api: new Api({ url, token: readToken(process.env, tokenFile) }), terminal: openTerminal(json === true) };
}

function httpUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw new InvalidArgumentError('It must be an address such as http://127.0.0.1:8080.');
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 to 999999.');
}

const examples = (...lines: string[]): string => `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;

function version(): string {
  return (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version;
}

/** Every command; its actions throw {@link Failure}s. */
export function buildProgram(): Command {
  const program = new Command('caudal')
    .description('CSV files into fresh, exactly-once features in Redis, through Kafka')
    .version(version(), '-V, --version', 'print the version')
    .option('--json', 'as the same option of a command')
    .addHelpText('after', '\nExit codes: 0 done, 1 refused or failed, 2 wrong use.')
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  addStart(program);
  addIngest(program);
  addRuns(program);
  addFiles(program);
  addReset(program);
  for (const command of program.commands) command.exitOverride().configureOutput({ outputError: () => undefined });
  return program;
}

function addStart(program: Command): void {
  local(program.command('start'))
    .description('start Kafka, Redis and the three services on this machine, and stay up until Ctrl-C')
    .option('--empty', 'without the example')
    .addHelpText('after', examples('caudal start', 'KAFKA_BROKERS=host:9092 REDIS_URL=redis://host:6379 caudal start'))
    .action(async (options: { empty?: true }, command: Command) => {
      await start({ empty: options.empty === true, json: command.optsWithGlobals<Shared>().json === true });
    });
}

function addIngest(program: Command): void {
  remote(program.command('ingest'))
    .description('send files to a pipeline, in the order of their names')
    .argument('<file...>', 'CSV files, also gzipped ones (.gz)')
    .requiredOption('-p, --pipeline <name>', 'the pipeline that takes them')
    .option('--no-save', 'rehearse: say what would change in Redis, write nothing')
    .option('-w, --wait', 'wait until each file is in Redis')
    .option('--again <reason>', 'process known bytes once more, as a new run')
    .addHelpText(
      'after',
      examples(
        'caudal ingest examples/novas_empresas.csv --pipeline empresas --wait',
        'caudal ingest data/2026-11-*.csv.gz -p empresas && next-step',
        'caudal ingest new.csv -p empresas --no-save',
      ),
    )
    .action(async (files: string[], options, command: Command) => {
      const { api, terminal } = opened(command);
      await ingest(api, terminal, files, { ...options, wait: options.wait === true });
    });
}

function addRuns(program: Command): void {
  remote(program.command('runs'))
    .description('list runs, newest first')
    .option('-p, --pipeline <name>', 'of this pipeline only')
    .option('-s, --state <state>', 'in this state only')
    .option('-n, --limit <count>', 'at most so many', wholeNumber, 20)
    .addHelpText('after', examples('caudal runs', 'caudal runs -p empresas -s failed --json'))
    .action(async (options, command: Command) => {
      const { api, terminal } = opened(command);
      await listRuns(api, terminal, options);
    });
  remote(program.command('run'))
    .description('show one run: its steps, checks and counts')
    .argument('<id>', 'id of the run')
    .option('-f, --follow', 'print what happens until it has ended; then it must be completed')
    .addHelpText('after', examples('caudal run 01JBX3M5ZJ4V0Z3W8Q5T7R9N2K --follow'))
    .action(async (id: string, options: { follow?: true }, command: Command) => {
      const { api, terminal } = opened(command);
      await showRun(api, terminal, id, { follow: options.follow === true });
    });
  remote(program.command('cancel'))
    .description('cancel a run that is not being published yet, or give up an interrupted one')
    .argument('<id>', 'id of the run')
    .addHelpText('after', examples('caudal cancel 01JBX3M5ZJ4V0Z3W8Q5T7R9N2K'))
    .action(async (id: string, _options, command: Command) => {
      const { api, terminal } = opened(command);
      await cancelRun(api, terminal, id);
    });
  remote(program.command('retry'))
    .description('let a failed run go on, or force a refused file through')
    .argument('<id>', 'id of the run')
    .option('--force', 'publish although a check has refused the file')
    .option('--reason <text>', 'why; kept with the run')
    .addHelpText('after', examples('caudal retry 01JBX3M5ZJ4V0Z3W8Q5T7R9N2K --force --reason "half a day, as planned"'))
    .action(async (id: string, options: { force?: true; reason?: string }, command: Command) => {
      const { api, terminal } = opened(command);
      await retryRun(api, terminal, id, { ...options, force: options.force === true });
    });
  remote(program.command('dead-letters'))
    .description('print the rejected rows of a run')
    .argument('<run>', 'id of the run')
    .option('--csv', 'as CSV')
    .addHelpText('after', examples('caudal dead-letters 01JBX3M5ZJ4V0Z3W8Q5T7R9N2K --csv > rejected.csv'))
    .action(async (id: string, options: { csv?: true }, command: Command) => {
      const { api, terminal } = opened(command);
      await deadLetters(api, terminal, id, { csv: options.csv === true });
    });
}

function addFiles(program: Command): void {
  local(program.command('validate'))
    .description('say everything that is wrong in a pipeline file, and where')
    .argument('<file...>', 'pipeline files (YAML)')
    .addHelpText('after', examples('caudal validate pipelines/empresas.yaml'))
    .action(async (files: string[], _options, command: Command) => {
      await validate(openTerminal(command.optsWithGlobals<Shared>().json === true), files);
    });
  local(program.command('dry-run'))
    .description('check a file and compute its features on this machine alone: no Kafka, no Redis, no limit of groups')
    .argument('<file>', 'CSV file, also gzipped (.gz)')
    .requiredOption('-p, --pipeline <name or file>', 'a pipeline of CAUDAL_PIPELINES_DIR, or a pipeline file')
    .addHelpText(
      'after',
      examples('caudal dry-run new.csv -p empresas', 'caudal dry-run new.csv -p drafts/empresas.yaml --json'),
    )
    .action(async (file: string, options: { pipeline: string }, command: Command) => {
      await dryRun(openTerminal(command.optsWithGlobals<Shared>().json === true), file, options.pipeline);
    });
}

function addReset(program: Command): void {
  remote(program.command('reset'))
    .description('begin a pipeline anew: its state, features and Redis keys are emptied')
    .argument('<pipeline>', 'name of the pipeline')
    .option('--replay', 'count the rows that Kafka still keeps once more')
    .option('--accept-loss', 'go on although rows are gone that were not counted, or cannot be replayed')
    .addHelpText('after', examples('caudal reset empresas --replay'))
    .action(async (name: string, options: { replay?: true; acceptLoss?: true }, command: Command) => {
      const { api, terminal } = opened(command);
      await reset(api, terminal, name, { replay: options.replay === true, acceptLoss: options.acceptLoss === true });
    });
}

/** Runs one call of `caudal`. Answers its exit code; what went wrong is said on stderr, as JSON with `--json`. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const complain = (message: string, document: object) => {
    process.stderr.write(json ? `${JSON.stringify({ error: message, ...document })}\n` : `caudal: ${message}\n`);
  };
  try {
    await buildProgram().parseAsync(args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done; // --help
      const text = error.code === 'commander.help' ? '' : error.message.replace(/^error: /, '');
      if (text !== '') complain(`${text}. "caudal --help" shows what there is`, { code: 'wrong_use' });
      return EXIT.wrongUse;
    }
    if (!(error instanceof Failure)) throw error;
    complain(error.message, error.document);
    return error.exitCode;
  }
}
