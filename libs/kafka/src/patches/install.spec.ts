// All patches together: each for one version of kafkajs only, and all of them installed.
import { kafkaJsInternal } from '../kafkajs.js';
import { decodeFetchResponse, patchFetchResponse } from './fetch-response.js';
import { installPatches } from './install.js';
import { patchProduceRequest } from './produce-request.js';
import { patchRequestQueue, type RequestQueueLike } from './request-queue.js';

const produce = kafkaJsInternal<{ protocol: unknown }>('protocol/requests/produce');
const fetchResponse = kafkaJsInternal<{ decode: unknown }>('protocol/requests/fetch/v11/response');
const { prototype: queue } = kafkaJsInternal<{ prototype: RequestQueueLike }>('network/requestQueue');
const stateOf = () => [produce.protocol, fetchResponse.decode, queue.scheduleCheckPendingRequests];

describe('every patch', () => {
  it.each([patchRequestQueue, patchFetchResponse, patchProduceRequest])(
    'refuses another version of kafkajs than the one it was written for: %p',
    (patch) => {
      const before = stateOf();
      expect(() => patch('2.3.0')).toThrow(/2\.2\.4, found 2\.3\.0/);
      expect(stateOf()).toEqual(before);
    },
  );
});

describe('installPatches', () => {
  it('installs all of them, once', () => {
    const stock = stateOf();
    installPatches();
    const patched = stateOf();
    patched.forEach((what, at) => expect(what).not.toBe(stock[at]));
    expect(fetchResponse.decode).toBe(decodeFetchResponse);
    installPatches();
    expect(stateOf()).toEqual(patched);
  });
});
