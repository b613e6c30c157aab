// The last line of npm test: its arguments, and the numbers from Jest's results.
import { table } from '../../scripts/table.mjs';
import { countJest, readTestArguments } from '../../scripts/test-results.mjs';

describe('readTestArguments', () => {
  it('passes paths and Jest options on', () => {
    const plain = { mode: 'all', settings: {} };
    expect(readTestArguments([])).toEqual({ ...plain, jestArgs: [] });
    expect(readTestArguments(['libs/csv', '-t', 'x'])).toEqual({ ...plain, jestArgs: ['libs/csv', '-t', 'x'] });
  });

  it('turns options of the fault and deep runs into settings', () => {
    expect(readTestArguments(['--faults', '--minutes', '5', '--seed=42'])).toEqual({
      mode: 'faults',
      jestArgs: ['test/faults'],
      settings: { CAUDAL_FAULT_MINUTES: '5', CAUDAL_FAULT_SEED: '42' },
    });
    expect(readTestArguments(['--deep', '--cases', '1000', '--seed=42', 'libs/windowing'])).toEqual({
      mode: 'deep',
      jestArgs: ['libs/windowing'],
      settings: { CAUDAL_DEEP: '1', CAUDAL_CASES: '1000', CAUDAL_SEED: '42' },
    });
  });

  it('refuses an option without its number', () => {
    expect(() => readTestArguments(['--faults', '--minutes'])).toThrow('--minutes needs a number');
    expect(() => readTestArguments(['--faults', '--seed', 'x'])).toThrow('--seed needs a number');
  });
});

describe('countJest', () => {
  const good = { numPassedTests: 7, numFailedTests: 0, numRuntimeErrorTestSuites: 0, success: true };

  it.each([
    ['all is well', good, 0, { passed: 7, failed: 0 }],
    ['tests failed', { ...good, numFailedTests: 2, success: false }, 1, { passed: 7, failed: 2 }],
    ['a suite did not run', { ...good, numRuntimeErrorTestSuites: 1, success: false }, 1, { passed: 7, failed: 1 }],
    [
      'tests failed and a suite did not run',
      { ...good, numFailedTests: 1, numRuntimeErrorTestSuites: 1 },
      1,
      { passed: 7, failed: 2 },
    ],
    ['Jest failed for another reason', good, 1, { passed: 7, failed: 1 }],
    ['Jest was killed', good, null, { passed: 7, failed: 1 }],
    ['there are no results', undefined, 1, { passed: 0, failed: 1 }],
    ['there are no results, though it ended well', undefined, 0, { passed: 0, failed: 1 }],
  ])('when %s', (_, results, exitCode, expected) => {
    expect(countJest(results, exitCode)).toEqual(expected);
  });
});

describe('table', () => {
  it('aligns texts to the left and numbers to the right', () => {
    expect(
      table(
        ['cidade', 'n'],
        [
          ['São Paulo', '3'],
          ['Rio', '112.5'],
        ],
      ),
    ).toBe(['cidade         n', '---------  -----', 'São Paulo      3', 'Rio        112.5'].join('\n'));
  });
});
