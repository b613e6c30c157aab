// The starters of `npm start`, for tests that want a Kafka or Redis of their own to kill.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** They are plain scripts without types: the caller says what it expects. `name` is a file of `scripts/`. */
export async function startScript<Module>(name: string): Promise<Module> {
  return (await import(pathToFileURL(join(process.cwd(), 'scripts', name)).href)) as Module;
}
