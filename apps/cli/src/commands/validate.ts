// caudal validate FILE.yaml: every problem of a pipeline file, where it stands, with the line and a caret below it.
import { parsePipelineFile, PipelineFileError, type PipelineProblem } from '#contracts';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { Failure, WrongUse } from '../failure.js';
import type { Terminal } from '../terminal.js';

/** Throws a Failure when a file has problems, {@link WrongUse} when one cannot be read. */
export async function validate(terminal: Terminal, files: readonly string[]): Promise<void> {
  let bad = 0;
  for (const file of files) {
    const text = await readText(file);
    const problems = problemsOf(text, file);
    terminal.document({ file, valid: problems.length === 0, problems });
    if (problems.length === 0) {
      terminal.print(`${file}: ${terminal.paint.green('valid')}`);
      continue;
    }
    bad++;
    const lines = text.split(/\r\n|\n|\r/);
    for (const problem of problems) terminal.print(problemText(problem, lines, terminal));
  }
  if (bad > 0) throw new Failure(bad === 1 ? '1 file has problems' : `${bad} files have problems`);
}

export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw cannotRead(file, error);
  }
}

export function cannotRead(file: string, error: unknown): WrongUse {
  const { code, message } = error as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message;
  return new WrongUse(`cannot read ${file}: ${why}`);
}

function problemsOf(text: string, file: string): PipelineProblem[] {
  try {
    const { name } = parsePipelineFile(text, file);
    const called = basename(file).replace(/\.ya?ml$/, '');
    if (called === name) return [];
    const message = `must be the file's own name: rename the file to ${name}.yaml, or the pipeline to ${called}`;
    return [{ file, line: 1, column: 1, path: 'name', message }];
  } catch (error) {
    if (error instanceof PipelineFileError) return [...error.problems];
    throw error;
  }
}

/** `file:line:column: path: message`, the line as it stands in the file, and a caret below the place. */
export function problemText(problem: PipelineProblem, lines: readonly string[], { paint }: Terminal): string {
  const { file, line, column, path, message } = problem;
  const place = `${file}:${line}:${column}: `;
  const head = `${paint.bold(place)}${path === '' ? '' : `${path}: `}${paint.red(message)}`;
  const source = lines[line - 1];
  if (source === undefined) return head;
  const number = `${line} | `;
  // Tabs stay tabs before the caret, so that it stands below its place however wide a tab is shown.
  const before = source.slice(0, column - 1).replaceAll(/[^\t]/g, ' ');
  return `${head}\n${number}${source}\n${' '.repeat(number.length)}${before}${paint.red('^')}`;
}
