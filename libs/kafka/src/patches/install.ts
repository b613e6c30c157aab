// Installs the patches of kafkajs; client.ts does so before it opens anything. (Patch 2, group-messages, is not installed:
// send-records.ts hands kafkajs arrays that group themselves.)
import { patchFetchResponse } from './fetch-response.js';
import { patchProduceRequest } from './produce-request.js';
import { patchRequestQueue } from './request-queue.js';

let isInstalled = false;

/** Mutates kafkajs' exported objects, so load order does not matter; again is a no-op. Throws on another version. */
export function installPatches(): void {
  if (isInstalled) return;
  patchRequestQueue();
  patchFetchResponse();
  patchProduceRequest();
  isInstalled = true;
}
