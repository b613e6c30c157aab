// The one stack that the security specs share: guarded by tokens, with limits small enough to be met.
import { Stack, type HttpAnswer } from '../../harness/stack.js';

const token = (name: string): string => `${name}-${'0123456789abcdef'.repeat(2)}`;

/** By name: the token that each has. `heavy` and `eager` are there to be used up. */
export const TOKENS = {
  sender: token('sender'),
  reader: token('reader'),
  admin: token('admin'),
  all: token('all'),
  heavy: token('heavy'),
  busy: token('busy'),
  eager: token('eager'),
};
export type TokenName = keyof typeof TOKENS;

const SCOPES: Record<TokenName, string> = {
  sender: 'upload',
  reader: 'read',
  admin: 'admin',
  all: 'upload+read+admin',
  heavy: 'upload',
  busy: 'upload',
  eager: 'read',
};

export const LIMITS = {
  bodyBytes: 200_000,
  fileBytes: 400_000,
  rows: 3_000,
  slowBodyMs: 2_000,
  clientBodies: 3,
  clientBytesPerDay: 1_500_000,
  requestsPerMinute: 1_000,
};

export const startGuarded = (): Promise<Stack> =>
  Stack.start({
    token: TOKENS.all,
    nodeArgs: { ingest: ['--import', './test/harness/disk-full.mjs'] },
    env: {
      CAUDAL_TOKENS: Object.entries(TOKENS)
        .map(([name, secret]) => `${name}:${SCOPES[name as TokenName]}:${secret}`)
        .join(','),
      CAUDAL_MAX_BODY_BYTES: String(LIMITS.bodyBytes),
      CAUDAL_MAX_UNCOMPRESSED_BYTES: String(LIMITS.fileBytes),
      CAUDAL_MAX_ROWS: String(LIMITS.rows),
      CAUDAL_SLOW_BODY_MS: String(LIMITS.slowBodyMs),
      CAUDAL_CLIENT_BODIES: String(LIMITS.clientBodies),
      CAUDAL_CLIENT_BYTES_PER_DAY: String(LIMITS.clientBytesPerDay),
      CAUDAL_CLIENT_REQUESTS_PER_MINUTE: String(LIMITS.requestsPerMinute),
    },
  });

/** Headers of a token; of none when it is not named. */
export const bearer = (name?: TokenName): Record<string, string> =>
  name === undefined ? {} : { authorization: `Bearer ${TOKENS[name]}` };

export const UPLOADS = '/v1/pipelines/empresas/uploads';

export function expectProblem(answer: HttpAnswer, status: number, code: string): void {
  expect([answer.status, answer.body]).toEqual([status, expect.objectContaining({ status, code })]);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
}
