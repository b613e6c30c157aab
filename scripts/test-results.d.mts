export function readTestArguments(args: string[]): {
  mode: 'all' | 'faults' | 'deep';
  jestArgs: string[];
  settings: Record<string, string>;
};
export function countJest(
  results:
    { numPassedTests: number; numFailedTests: number; numRuntimeErrorTestSuites: number; success: boolean } | undefined,
  exitCode: number | null,
): { passed: number; failed: number };
