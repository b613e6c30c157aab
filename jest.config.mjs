// Jest 30 as ESM (Nest 12 is ESM only): TypeScript through swc, `#lib` imports straight to the sources.
// Run with NODE_OPTIONS=--experimental-vm-modules; `npm test` (scripts/test.mjs) does, and brings Kafka and Redis.
const libs = ['contracts', 'csv', 'checks', 'windowing', 'gate', 'kafka', 'redis', 'runtime'];

// Over a minute each: with `npm run test:faults` and `npm run test:deep` alone.
const isLong = ['CAUDAL_DEEP', 'CAUDAL_FAULT_MINUTES', 'CAUDAL_FAULT_ROUNDS'].some((name) => process.env[name]);
const onlyLong = isLong ? [] : ['/test/faults/kafka-disk-full'];

export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  roots: ['<rootDir>/apps', '<rootDir>/libs', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', ...onlyLong],
  modulePathIgnorePatterns: ['<rootDir>/dist'],
  moduleNameMapper: {
    ...Object.fromEntries(libs.map((lib) => [`^#${lib}$`, `<rootDir>/libs/${lib}/src/index.ts`])),
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  collectCoverageFrom: ['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts', '!**/*.spec.ts', '!**/index.ts'],
  coverageReporters: ['text-summary'],
  // A property with more cases (npm run test:deep -- --cases N) takes longer.
  testTimeout: 30_000 + 1_000 * Number(process.env.CAUDAL_CASES ?? 0),
};
