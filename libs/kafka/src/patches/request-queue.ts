// Patch 1 of kafkajs: its request queue re-arms a timer (of a negative delay) for ever on idle connections (#1704).
import { assertKafkaJsVersion, installedKafkaJsVersion, kafkaJsInternal } from '../kafkajs.js';

/** The fields of kafkajs' RequestQueue that the timer touches. */
export interface RequestQueueLike {
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  throttledUntil: number;
  pending: unknown[];
  checkPendingRequests(): void;
  scheduleCheckPendingRequests(): void;
}

const RECHECK_MS = 10;

/** Arms the timer only when something waits; otherwise the next push or answer looks at the queue anyway. */
export function patchRequestQueue(version = installedKafkaJsVersion()): void {
  assertKafkaJsVersion(version);
  const queueClass = kafkaJsInternal<{ prototype: RequestQueueLike }>('network/requestQueue');
  queueClass.prototype.scheduleCheckPendingRequests = function (this: RequestQueueLike): void {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return;
    const waitMs = this.throttledUntil - Date.now();
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null;
        this.checkPendingRequests();
      },
      waitMs > 0 ? waitMs : RECHECK_MS,
    );
  };
}
