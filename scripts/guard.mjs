// The starter's guard: a process of its own session that outlives it. It reads from the starter's pipe what was
// started and what has ended; when the pipe closes it stops what is left and removes throw-away folders.
// After an orderly end nothing is left, so that it just exits.
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { stopInOrder } from './pids.mjs';

const running = new Map();
const scratchDirs = new Set();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const told = JSON.parse(line);
  if (told.started) running.set(told.started.pid, told.started);
  if (told.ended) running.delete(told.ended);
  if (told.scratch) scratchDirs.add(told.scratch);
});
lines.on('close', async () => {
  await stopInOrder([...running.values()]);
  for (const dir of scratchDirs) rmSync(dir, { recursive: true, force: true });
  process.exit(0);
});
