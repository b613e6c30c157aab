// The `caudal` command, started by bin/caudal.mjs.
import { runProgram } from './program.js';

// A closed pipe (`caudal runs | head`) is how a reader says that it has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runProgram(process.argv.slice(2));
