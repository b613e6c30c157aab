// Patch 1 on kafkajs' own RequestQueue: first what stock kafkajs does, then the same with the patch.
import { kafkaJsInternal } from '../kafkajs.js';
import { patchRequestQueue, type RequestQueueLike } from './request-queue.js';

type Queue = RequestQueueLike & { destroy(): void };
const RequestQueue = kafkaJsInternal<new (options: object) => Queue>('network/requestQueue');
const logger = { debug: () => undefined, warn: () => undefined };

function openQueue(): Queue {
  return new RequestQueue({
    maxInFlightRequests: 1,
    requestTimeout: 1000,
    enforceRequestTimeout: false,
    clientId: 'spec',
    broker: 'spec',
    logger,
  });
}

describe('the request queue patch', () => {
  it('is needed: a stock queue arms a timer with nothing to send', () => {
    const queue = openQueue();
    queue.checkPendingRequests();
    expect(queue.throttleCheckTimeoutId).not.toBeNull();
    queue.destroy();
  });

  it('arms no timer on an idle queue', () => {
    patchRequestQueue();
    const queue = openQueue();
    queue.checkPendingRequests();
    expect(queue.throttleCheckTimeoutId).toBeNull();
  });

  it('arms no timer on an idle queue that was throttled', () => {
    patchRequestQueue();
    const queue = openQueue();
    queue.throttledUntil = Date.now() + 5;
    queue.checkPendingRequests();
    expect(queue.throttleCheckTimeoutId).toBeNull();
  });

  it('looks again when something waits, and sends it when the throttle is over', async () => {
    patchRequestQueue();
    const queue = openQueue();
    const sent = new Promise<void>((resolve) => {
      queue.throttledUntil = Date.now() + 20;
      queue.pending.push({ send: () => resolve(), expectResponse: true, correlationId: 1, pendingDuration: 0 });
    });
    queue.scheduleCheckPendingRequests();
    const armed = queue.throttleCheckTimeoutId;
    queue.scheduleCheckPendingRequests();
    expect(armed).not.toBeNull();
    expect(queue.throttleCheckTimeoutId).toBe(armed);
    await sent;
    await Promise.resolve();
    expect(queue.throttleCheckTimeoutId).toBeNull();
  });
});
