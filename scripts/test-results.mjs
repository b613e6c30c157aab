// The pure parts of npm test: what its arguments ask for, and what Jest's result file says in numbers.

// Options that become a setting of the tests, per mode.
const optionsOf = {
  all: {},
  faults: { '--minutes': 'CAUDAL_FAULT_MINUTES', '--seed': 'CAUDAL_FAULT_SEED', '--rounds': 'CAUDAL_FAULT_ROUNDS' },
  deep: { '--cases': 'CAUDAL_CASES', '--seed': 'CAUDAL_SEED' },
};

/**
 * `{mode: 'all' | 'faults' | 'deep', jestArgs, settings}` of the command line; `settings` are environment variables.
 * Throws when an option has no value.
 */
export function readTestArguments(args) {
  const mode = args.includes('--faults') ? 'faults' : args.includes('--deep') ? 'deep' : 'all';
  const settings = mode === 'deep' ? { CAUDAL_DEEP: '1' } : {};
  const jestArgs = [];
  const rest = args.filter((arg) => arg !== '--faults' && arg !== '--deep');
  for (let at = 0; at < rest.length; at += 1) {
    const [name, joined] = rest[at].split('=', 2);
    const variable = optionsOf[mode][name];
    if (!variable) {
      jestArgs.push(rest[at]);
      continue;
    }
    const value = joined ?? rest[(at += 1)];
    if (!/^\d+$/.test(value ?? '')) throw new Error(`${name} needs a number, as in ${name} 5.`);
    settings[variable] = value;
  }
  if (mode === 'faults' && jestArgs.length === 0) jestArgs.push('test/faults');
  return { mode, jestArgs, settings };
}

/**
 * Jest's tests as `{passed, failed}`. A suite that could not run, a Jest that left no results and an exit code that
 * no failed test explains (coverage threshold, open handles) each count as one failure.
 */
export function countJest(results, exitCode) {
  if (!results) return { passed: 0, failed: 1 };
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  const unexplained = failed === 0 && (exitCode !== 0 || results.success === false) ? 1 : 0;
  return { passed: results.numPassedTests, failed: failed + unexplained };
}
