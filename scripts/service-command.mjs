// How a service is started: as its `start:<service>` script in package.json says, for npm start, tests, bench and image alike.
//
// Ingest has flags of V8's there. Nearly all that a file makes is dropped at once; by itself V8 would let its heap grow
// before it looks for that garbage. Young objects in a space of 8 MiB from the start, and an old space that grows by 60 %,
// take a third less memory for a few per cent of time; growing by 10 % takes a third more.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What follows `node` on the command line, run in the clone `root`. `name`: a service's folder in apps/. */
export function serviceArgs(root, name) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return scripts[`start:${name}`].split(' ').slice('exec node'.split(' ').length);
}
