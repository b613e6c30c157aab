// docs/security.md as tests, each named after its OWASP ASVS 5.0 id. One stack for all of them.
import type { Stack } from '../../harness/stack.js';
import { accessSpecs } from './access.js';
import { capSpecs } from './caps.js';
import { contentSpecs } from './content.js';
import { startGuarded } from './guarded.js';

describe('the door', () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startGuarded();
  }, 120_000);
  afterAll(async () => stack?.stop(), 60_000);

  describe('access', () => accessSpecs(() => stack));
  describe('caps', () => capSpecs(() => stack));
  describe('content', () => contentSpecs(() => stack));
});
