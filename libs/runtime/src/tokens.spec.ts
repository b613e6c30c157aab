import { clientOf, parseTokens } from './tokens.js';

const A = 'a'.repeat(32);
const B = `b:+/=~${'b'.repeat(32)}`;

const clients = (text: string) => {
  const parsed = parseTokens(text);
  if ('problems' in parsed) throw new Error(parsed.problems.join());
  return parsed.clients;
};
const problems = (text: string): string => {
  const parsed = parseTokens(text);
  return 'problems' in parsed ? parsed.problems.join('; ') : '';
};

describe('parseTokens', () => {
  it('reads names and scopes, separated by commas or lines; a token may hold a colon', () => {
    const found = clients(` ci:upload:${A} ,\n ops:read+admin:${B}\n`);
    expect(found.map(({ name, scopes }) => [name, [...scopes]])).toEqual([
      ['ci', ['upload']],
      ['ops', ['read', 'admin']],
    ]);
    expect(JSON.stringify(found)).not.toContain(A);
  });

  it.each([
    ['', 'names no token'],
    [`:read:${A}`, 'name of 1 to 60'],
    [`ci:${A}`, 'scopes out of upload, read, admin'],
    [`ci:write:${A}`, 'scopes out of'],
    [`ci:read+:${A}`, 'scopes out of'],
    [`ci:read:${'x'.repeat(31)}`, 'a token of 31 characters: at least 32'],
    [`ci:read:${A}é`, 'blanks or characters beyond ASCII'],
    [`ci:read:${A} ${A}`, 'blanks'],
    [`ci:read:${A},ci:read:${B}`, 'name "ci" comes twice'],
    [`a:read:${A},b:admin:${A}`, 'the token of another client'],
  ])('refuses %s', (text, why) => {
    const found = problems(text);
    expect(found).toContain(why);
    expect(found).not.toMatch(/aaaaaaaa|xxxxxxxx/);
  });
});

describe('clientOf', () => {
  const all = clients(`ci:upload:${A},ops:read:${B}`);
  it('finds the client of a token, and nobody for any other', () => {
    expect(clientOf(all, A)?.name).toBe('ci');
    expect(clientOf(all, B)?.name).toBe('ops');
    for (const other of ['', `${A} `, A.slice(1), A.toUpperCase(), 'ci', `ci:upload:${A}`]) {
      expect(clientOf(all, other)).toBeNull();
    }
  });
});
