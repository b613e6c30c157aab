import { Problem } from './problem.js';
import { booleanOf, checkQuery, integerOf, textOf } from './query.js';

const problem = (read: () => unknown): Problem => {
  try {
    read();
  } catch (error) {
    return error as Problem;
  }
  throw new Error('no problem was thrown');
};

describe('query parameters', () => {
  it('refuses what is not known or repeated, and names it', () => {
    expect(() => checkQuery({ wait: '1' }, ['wait'])).not.toThrow();
    expect(problem(() => checkQuery({ x: '1' }, ['wait', 'limit']))).toMatchObject({
      status: 400,
      code: 'bad_query',
      detail: expect.stringMatching(/"x" is not known here; known are wait, limit/),
    });
    expect(problem(() => checkQuery({ wait: ['1', '1'] }, ['wait'])).detail).toContain('more than once');
    expect(problem(() => checkQuery({ x: '1' }, [])).detail).toContain('known are none');
  });

  it('reads booleans as words, nothing else', () => {
    expect([
      booleanOf({}, 'a', true),
      booleanOf({ a: 'true' }, 'a', false),
      booleanOf({ a: 'false' }, 'a', true),
    ]).toEqual([true, true, false]);
    for (const a of ['', '1', 'TRUE', 'no']) expect(problem(() => booleanOf({ a }, 'a', true)).status).toBe(400);
  });

  it('reads whole numbers within their bounds', () => {
    const bounds = { min: 1, max: 300, fallback: 7 };
    expect([
      integerOf({}, 'n', bounds),
      integerOf({ n: '1' }, 'n', bounds),
      integerOf({ n: '300' }, 'n', bounds),
    ]).toEqual([7, 1, 300]);
    for (const n of ['0', '301', '-1', '1.5', '1e2', '', ' 1', '99999999999999999999']) {
      expect(problem(() => integerOf({ n }, 'n', bounds)).detail).toContain('from 1 to 300');
    }
  });

  it('reads texts by their pattern', () => {
    expect(textOf({}, 't', /^a$/, 'an a')).toBeUndefined();
    expect(textOf({ t: 'a' }, 't', /^a$/, 'an a')).toBe('a');
    expect(problem(() => textOf({ t: 'b' }, 't', /^a$/, 'an a')).detail).toContain('must be an a');
  });
});
