import type { View } from '#contracts';
import { scanPattern } from './read-features.js';

const view = (template: string): View => ({
  name: 'por_[cidade]',
  groupBy: ['a', 'b'],
  window: { type: 'upload' },
  features: [],
  redis: { key: template, ttlMs: null },
});

describe('scanPattern', () => {
  it.each([
    ['{a}', '*'],
    ['{a}{b}', '*'],
    ['{view}:{a}:{window_start}', String.raw`por_\[cidade\]:*:*`],
    ['{pipeline}/{a}', 'p/*'],
    [String.raw`a*b?c[d]e\f-^{a}`, String.raw`a\*b\?c\[d\]e\\f-^*`],
    ['**{a}', String.raw`\*\**`],
  ])('of %j is %j', (template, pattern) => {
    expect(scanPattern({ pipeline: 'p', view: view(template) })).toBe(pattern);
  });
});
