// caudal start: hands over to scripts/start.mjs, the same program as `npm start`. From the packed package the folder one
// stands in takes the place of the clone: its pipelines, its data, its state.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { Failure } from '../failure.js';
import { packageRoot } from '../package-root.js';

/** Resolves when everything has been stopped by a signal; throws a Failure when it could not be started. */
export async function start(options: { empty: boolean; json: boolean }): Promise<void> {
  const args = [
    join(packageRoot, 'scripts', 'start.mjs'),
    ...(options.empty ? ['--empty'] : []),
    ...(options.json ? ['--json'] : []),
  ];
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: environment(process.cwd()) });
  // The child has the signal of a terminal already, and takes a second one within a second for the same.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const code = await new Promise<number>((done, fail) => {
    child.once('error', fail);
    child.once('exit', (exitCode) => done(exitCode ?? 1));
  });
  if (code !== 0) throw new Failure('caudal did not start: the lines above say why');
}

/** In a clone nothing is changed. Elsewhere what the environment leaves open lies in `folder`. */
function environment(folder: string): NodeJS.ProcessEnv {
  if (existsSync(join(packageRoot, 'package-lock.json'))) return process.env;
  const own = resolve(folder, 'pipelines');
  const settings = resolve(folder, '.env');
  return {
    CAUDAL_STATE_DIR: resolve(folder, '.caudal'),
    CAUDAL_DATA_DIR: resolve(folder, 'data'),
    CAUDAL_PIPELINES_DIR: existsSync(own) ? own : join(packageRoot, 'pipelines'),
    ...(existsSync(settings) ? parseEnv(readFileSync(settings, 'utf8')) : {}),
    ...process.env,
  };
}
