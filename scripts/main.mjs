// The frame of each script: whatever happens, what was started is stopped, and a failure is one clear message.
import { isClosing, stopAll, stopOnSignals } from './processes.mjs';
import { red, say } from './say.mjs';

/**
 * Runs `story()` and exits with the code it answers (0 when none) after all is stopped. `onSignal(code)` may answer
 * another exit code than 128 + signal for an end by signal.
 */
export async function main(story, onSignal = (code) => code) {
  stopOnSignals({ say, exitCode: onSignal });
  let code;
  try {
    code = (await story()) ?? 0;
  } catch (problem) {
    if (isClosing()) return; // the handler of the signal is at work: it says so and exits
    say(red(problem.message));
    code = 1;
  }
  await stopAll();
  process.exit(code);
}
