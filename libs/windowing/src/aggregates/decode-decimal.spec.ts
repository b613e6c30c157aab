// Decimals in changelog records.
import { decodeDecimal } from './decode-decimal.js';

describe('decodeDecimal', () => {
  it('reads plain text', () => {
    expect(decodeDecimal('-12.5').format()).toBe('-12.5');
  });

  it.each([5, null, undefined, '5.', '1e3'])('refuses %j', (value) => {
    expect(() => decodeDecimal(value)).toThrow(expect.objectContaining({ code: 'bad_changelog', retriable: false }));
  });
});
