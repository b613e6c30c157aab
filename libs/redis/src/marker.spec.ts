import { failedListName, markerName, parseMarker } from './marker.js';

describe('a marker', () => {
  it('is named by prefix, pipeline and partition', () => {
    const name = markerName({ prefix: 'caudal', pipeline: 'empresas', partition: 3 });
    expect(name).toBe('caudal:writer:caudal:empresas:3');
    expect(failedListName(name)).toBe('caudal:writer:caudal:empresas:3:failed');
  });

  it('is read from its texts, offsets beyond 2^53 too', () => {
    expect(parseMarker(['1700000000000', '9007199254740993', '2', '1', '3'], ['k'])).toEqual({
      generation: 1_700_000_000_000,
      offset: 9_007_199_254_740_993n,
      written: 2,
      superseded: 1,
      failed: 3,
      failedKeys: ['k'],
    });
  });

  it.each([
    [[null, null, null, null, null]],
    [['1', null, '0', '0', '0']],
    [['x', '1', '0', '0', '0']],
    [['1', '-1', '0', '0', '0']],
  ])('is none in %j', (values) => {
    expect(parseMarker(values, [])).toBeNull();
  });
});
