// All patches together: the right version, and once.
import { kafkaJsInternal } from '../kafkajs.js';
import { decodeFetchResponse } from './fetch-response.js';
import { installPatches } from './install.js';

const produce = kafkaJsInternal<{ protocol: unknown }>('protocol/requests/produce');
const fetchResponse = kafkaJsInternal<{ decode: unknown }>('protocol/requests/fetch/v11/response');

describe('installPatches', () => {
  it('refuses another version of kafkajs than the one it was written for', () => {
    expect(() => installPatches('2.3.0')).toThrow(/2\.2\.4, found 2\.3\.0/);
    expect(fetchResponse.decode).not.toBe(decodeFetchResponse);
  });

  it('installs once', () => {
    installPatches();
    expect(fetchResponse.decode).toBe(decodeFetchResponse);
    const { protocol } = produce;
    installPatches();
    expect(produce.protocol).toBe(protocol);
  });
});
