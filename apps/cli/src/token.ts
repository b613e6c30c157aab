// Where an access token comes from: never from the command line itself, which every user of a machine can read.
import { readFileSync } from 'node:fs';
import { WrongUse } from './failure.js';

/** The token of `file`, else of CAUDAL_TOKEN_FILE, else CAUDAL_TOKEN; null when there is none. */
export function readToken(env: NodeJS.ProcessEnv, file: string | undefined = env.CAUDAL_TOKEN_FILE): string | null {
  if (file === undefined || file === '') return env.CAUDAL_TOKEN?.trim() || null;
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new WrongUse(`cannot read the token file ${file}: ${(error as Error).message}`);
  }
  if (text === '') throw new WrongUse(`the token file ${file} is empty`);
  return text;
}
