// Patterns that may run on anybody's data, and those that may not.
import { patternProblem } from './safe-pattern.js';

describe('patternProblem', () => {
  it.each([
    '\\d{14}',
    '\\d{2}\\.\\d{3}\\.\\d{3}/\\d{4}-\\d{2}',
    '[A-Z]{2}',
    '[^@ ]+@[^@ ]+\\.[a-z]{2,}',
    '\\d{1,3}(\\.\\d{3})*',
    '(?:SP|RJ)+',
    '(?<uf>[A-Z]{2})?',
    '(a+){3}',
    '([(+*)]\\+\\*\\))+',
    '(\\p{L})+',
    'a**'.slice(0, 2),
    '((ab)c)*',
    '(a{2,2})+',
  ])('allows %s', (source) => {
    expect(patternProblem(source)).toBeNull();
  });

  it.each(['(a+)+', '(\\w+\\s?)*', '((a*)b)+', '(?:x|y+){2,}', '(a{1,3})+', '(([a-z])+.)+[A-Z]'])(
    'refuses %s',
    (source) => {
      expect(patternProblem(source)).toContain('which itself repeats');
    },
  );

  it.each(['(', '[a', '\\q', 'a{2,1}', '\\u{110000}'])('refuses %s, which is none', (source) => {
    expect(patternProblem(source)).toContain('must be a regular expression');
  });
});
