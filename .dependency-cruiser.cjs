// The house's borders, held by `npm run deps` and `npm test`: who may import whom (docs/architecture.md).
// Each rule was proved by breaking it once.
const pure = '^libs/(windowing|csv|checks|gate)/';
const inputAndOutput =
  '^(node:)?(fs|net|http|https|http2|tls|dgram|dns|child_process|cluster|worker_threads|readline|inspector|repl)(/|$)';

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'A circle has no first file to load. Move what both need into a third one (types alone may go round).',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'not-resolvable',
      comment: 'An import that is not found escapes all other rules.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'apps-never-import-each-other',
      comment: 'Services talk through topics only; what two need is a lib.',
      severity: 'error',
      from: { path: '^apps/([^/]+)/' },
      to: { path: '^apps/', pathNot: '^apps/$1/' },
    },
    {
      name: 'libs-never-import-apps',
      comment: 'Libs are below apps.',
      severity: 'error',
      from: { path: '^libs/' },
      to: { path: '^apps/' },
    },
    {
      name: 'libs-by-their-public-face',
      comment: 'Import another lib as #name (its src/index.ts), never a file inside it. Its testing.ts is for specs.',
      severity: 'error',
      from: { path: '^(libs|apps)/([^/]+)/', pathNot: '[.]spec[.]ts$' },
      to: { path: '^libs/', pathNot: ['^$1/$2/', '^libs/[^/]+/src/index[.]ts$'] },
    },
    {
      name: 'kafkajs-only-in-libs-kafka',
      comment: 'libs/kafka patches kafkajs and hides it: use #kafka.',
      severity: 'error',
      from: { pathNot: '^libs/kafka/' },
      to: { path: '(^|/)node_modules/kafkajs/' },
    },
    {
      name: 'ioredis-only-in-libs-redis',
      comment: 'Use #redis.',
      severity: 'error',
      from: { pathNot: '^libs/redis/' },
      to: { path: '(^|/)node_modules/ioredis/' },
    },
    {
      name: 'pure-libs-import-contracts-alone',
      comment: 'windowing, csv and checks are computations: they run in services, the CLI and tests alike.',
      severity: 'error',
      from: { path: '^libs/(windowing|csv|checks)/' },
      to: { path: '^libs/', pathNot: ['^libs/$1/', '^libs/contracts/'] },
    },
    {
      name: 'gate-imports-pure-libs-alone',
      comment: 'It joins csv, checks and windowing: what a file is by itself.',
      severity: 'error',
      from: { path: '^libs/gate/' },
      to: { path: '^libs/', pathNot: ['^libs/gate/', '^libs/(contracts|csv|checks|windowing)/'] },
    },
    {
      name: 'pure-libs-do-no-input-or-output',
      comment: 'What they read and write is passed in and handed out by their callers.',
      severity: 'error',
      from: { path: pure, pathNot: '[.]spec[.]ts$' },
      to: { dependencyTypes: ['core'], path: inputAndOutput },
    },
    {
      name: 'pure-libs-know-no-framework',
      comment: 'No Nest, Kafka, Redis or logger in the computations.',
      severity: 'error',
      from: { path: pure },
      to: { path: '(^|/)node_modules/(@nestjs|kafkajs|ioredis|fastify|@fastify|pino|prom-client|rxjs)/' },
    },
    {
      name: 'contracts-import-no-lib',
      comment: 'Everything else may rest on contracts, so that they rest on nothing of the house.',
      severity: 'error',
      from: { path: '^libs/contracts/' },
      to: { path: '^libs/', pathNot: '^libs/contracts/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    // `#windowing` is Node's own subpath import: the condition 'types' leads to the sources instead of dist.
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
      mainFields: ['types', 'typings', 'module', 'main'],
    },
  },
};
