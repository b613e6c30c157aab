import fc from 'fast-check';
import { keyRenderer } from './redis-key-template.js';

const fields = (key: Record<string, string>, windowStart: number | null = null) => ({
  pipeline: 'p',
  view: 'v',
  key,
  windowStart,
  windowEnd: windowStart === null ? null : windowStart + 1,
});

describe('keyRenderer', () => {
  it('leaves the value of a single group column raw', () => {
    expect(keyRenderer('{cidade}', ['cidade'])(fields({ cidade: 'São Paulo: 100% {x}' }))).toBe('São Paulo: 100% {x}');
  });

  it('renders view, pipeline and window', () => {
    const render = keyRenderer('{pipeline}/{view}:{c}:{window_start}-{window_end}', ['c']);
    expect(render(fields({ c: 'x' }, 86_400_000))).toBe('p/v:x:86400000-86400001');
  });

  it('encodes % and its own literals inside several values', () => {
    expect(keyRenderer('{a}:{b}', ['a', 'b'])(fields({ a: 'x:y', b: '50%' }))).toBe('x%3Ay:50%25');
  });

  it('never gives two groups the same key', () => {
    const values = fc.string({ unit: fc.constantFrom('a', ':', '%', '3', 'A', '2', '5') });
    const render = keyRenderer('k:{a}:{b}', ['a', 'b']);
    fc.assert(
      fc.property(values, values, values, values, (a, b, c, d) => {
        fc.pre(a !== c || b !== d);
        expect(render(fields({ a, b }))).not.toBe(render(fields({ a: c, b: d })));
      }),
    );
  });
});
