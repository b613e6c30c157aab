// Installs the patches of kafkajs; client.ts does so before it opens anything.
import { installedKafkaJsVersion, KAFKAJS_VERSION } from '../kafkajs.js';
import { patchFetchResponse } from './fetch-response.js';
import { patchProduceRequest } from './produce-request.js';
import { patchRequestQueue } from './request-queue.js';

let isInstalled = false;

/** Mutates kafkajs' exported objects, so load order does not matter; again is a no-op. Throws on another version. */
export function installPatches(version: string = installedKafkaJsVersion()): void {
  if (version !== KAFKAJS_VERSION) {
    throw new Error(
      `libs/kafka patches kafkajs ${KAFKAJS_VERSION}, found ${version}: read docs on the patches before changing it`,
    );
  }
  if (isInstalled) return;
  patchRequestQueue();
  patchFetchResponse();
  patchProduceRequest();
  isInstalled = true;
}
