// The connection to Redis and everything that is asked through it. Commands fail at once while Redis is away: nothing
// is queued and nothing is sent twice behind the caller's back, since a write that is late may be an old one.
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type RedisError, toRedisError } from './errors.js';
import { viewOwner } from './feature-key.js';
import { failedListName, markerName, parseMarker, type Marker, type MarkerCounts, type MarkerKey } from './marker.js';
import { scanPattern, type ViewScan } from './read-features.js';
import { PASS_END_OF_UPLOAD_LUA, READ_MARKER_LUA, UPSERT_FEATURES_LUA } from './upsert-features.lua.js';
import {
  isAlreadyPassed,
  markerGuard,
  readMarkerReply,
  readPassReply,
  readUpsertReply,
  scriptCalls,
  upsertArguments,
  type EndOfUploadPass,
  type PassOutcome,
  type UpsertBatch,
  type UpsertOutcome,
  type WriteStatus,
} from './upsert-features.js';

export interface OpenRedisOptions {
  /** `redis://[user:password@]host:port[/db]`, `rediss://` for TLS. */
  readonly url: string;
  /** For `rediss://`: PEM text of an authority that Node does not know. */
  readonly ca?: string | null;
  /** Seen in CLIENT LIST. */
  readonly name?: string;
  readonly commandTimeoutMs?: number;
  /** Told of every failed or lost connection; without it they are silent. */
  readonly onError?: (error: RedisError) => void;
}

/** What defineCommand adds: the number of keys, the keys, the arguments. */
type Script = (keyCount: number, keys: string[], args: string[]) => Promise<unknown>;
type ScriptedRedis = Redis & { upsertFeatures: Script; passEndOfUpload: Script; readMarker: Script };

const COMMAND_TIMEOUT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 3_000;
const RECONNECT_MS_MAX = 2_000;
const CHUNK_KEYS = 1_000;

/**
 * Opens a store. Redis need not be up: the first attempt is awaited for at most 3 s, then the store reconnects by
 * itself, and until then its methods reject with code `redis_away`.
 */
export async function openRedis(options: OpenRedisOptions): Promise<RedisStore> {
  const commandTimeout = options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS;
  const client = new Redis(options.url, {
    lazyConnect: true,
    connectionName: options.name ?? 'caudal',
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout,
    // A connection that died silently is torn down, else only its commands would time out, one by one.
    socketTimeout: 2 * commandTimeout,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), RECONNECT_MS_MAX),
    ...(options.ca && options.url.startsWith('rediss:') ? { tls: { ca: options.ca } } : {}),
    scripts: {
      upsertFeatures: { lua: UPSERT_FEATURES_LUA },
      passEndOfUpload: { lua: PASS_END_OF_UPLOAD_LUA },
      readMarker: { lua: READ_MARKER_LUA },
    },
  }) as ScriptedRedis;
  client.on('error', (error: unknown) => options.onError?.(toRedisError(error)));
  const waiting = new AbortController();
  await Promise.race([
    client.connect().catch(() => undefined),
    sleep(CONNECT_TIMEOUT_MS, undefined, { signal: waiting.signal }).catch(() => undefined),
  ]);
  waiting.abort();
  return new RedisStore(client);
}

/** Every method rejects with a {@link RedisError}. */
export class RedisStore {
  readonly #client: ScriptedRedis;

  /** Made by {@link openRedis}. */
  constructor(client: Redis) {
    this.#client = client as ScriptedRedis;
  }

  async ping(): Promise<void> {
    await this.#ask(() => this.#client.ping());
  }

  /** Calls back at every later (re)connection. Answers a function that ends it. */
  onReady(listener: () => void): () => void {
    this.#client.on('ready', listener);
    return () => void this.#client.off('ready', listener);
  }

  /** The hash without a prototype; null when there is none. Another type: code `redis_wrong_type`. */
  async readHash(key: string): Promise<Record<string, string> | null> {
    const hash = await this.#ask(() => this.#client.hgetall(key));
    const entries = Object.entries(hash);
    if (entries.length === 0) return null;
    const result: Record<string, string> = Object.create(null);
    for (const [field, value] of entries) result[field] = value;
    return result;
  }

  /** The hashes in the order of the keys; null where there is none. */
  async readHashes(keys: readonly string[]): Promise<(Map<string, string> | null | 'wrong_type')[]> {
    const hashes: (Map<string, string> | null | 'wrong_type')[] = [];
    for (let from = 0; from < keys.length; from += CHUNK_KEYS) {
      const pipeline = this.#client.pipeline();
      for (const key of keys.slice(from, from + CHUNK_KEYS)) pipeline.hgetall(key);
      for (const [error, hash] of (await this.#ask(() => pipeline.exec())) ?? []) {
        const problem = error === null ? null : toRedisError(error);
        if (problem !== null && problem.code !== 'redis_wrong_type') throw problem;
        const entries = problem === null ? Object.entries(hash as Record<string, string>) : [];
        hashes.push(problem !== null ? 'wrong_type' : entries.length === 0 ? null : new Map(entries));
      }
    }
    return hashes;
  }

  /**
   * The keys that hold a hash of the view, in pages, by SCAN: keys that come or go meanwhile may be missed, and a key
   * may come more than once.
   */
  async *scanView(scan: ViewScan): AsyncGenerator<string[]> {
    const pattern = scanPattern(scan);
    const owner = viewOwner(scan.pipeline, scan.view.name);
    let cursor = '0';
    do {
      const from = cursor;
      const [next, found] = await this.#ask(() =>
        this.#client.scan(from, 'MATCH', pattern, 'COUNT', CHUNK_KEYS, 'TYPE', 'hash'),
      );
      const owners = found.length === 0 ? [] : await this.#owners(found);
      const keys = found.filter((_, at) => owners[at] === owner);
      if (keys.length > 0) yield keys;
      cursor = next;
    } while (cursor !== '0');
  }

  async #owners(keys: readonly string[]): Promise<unknown[]> {
    const pipeline = this.#client.pipeline();
    for (const key of keys) pipeline.hget(key, '_view');
    const replies = (await this.#ask(() => pipeline.exec())) ?? [];
    return replies.map(([error, owner]) => {
      if (error === null) return owner;
      const problem = toRedisError(error);
      // A hash may have made room for another type since the scan saw it.
      if (problem.code !== 'redis_wrong_type') throw problem;
      return null;
    });
  }

  /** The marker as it stands; null when there is none. */
  async readMarker(marker: MarkerKey): Promise<Marker | null> {
    const name = markerName(marker);
    const reply = await this.#ask(() => this.#client.readMarker(2, [name, failedListName(name)], []));
    const [fields, failedKeys] = readMarkerReply(reply);
    return parseMarker(fields, failedKeys);
  }

  /**
   * Writes a batch and moves the marker, or nothing: one script call (views of very many features: several, each with
   * its own move of the marker). A rejection leaves open whether the batch was written (its reply
   * may have been lost): the repeat is then answered `moved`, and the marker says how far it is.
   */
  async upsertFeatures(batch: UpsertBatch): Promise<UpsertOutcome> {
    const statuses: WriteStatus[] = [];
    let marker: MarkerCounts | undefined;
    for (const part of scriptCalls(batch)) {
      const call = marker === undefined ? part : { ...part, expected: marker, fromBeginning: false };
      const { keys, args } = upsertArguments(call);
      const reply = await this.#ask(() => this.#client.upsertFeatures(keys.length, keys, args));
      const outcome = readUpsertReply(call, reply);
      if (outcome.outcome === 'moved') return outcome;
      statuses.push(...outcome.statuses);
      marker = outcome.marker;
    }
    return { outcome: 'written', statuses, marker: marker! };
  }

  /** Moves the marker behind an end-of-upload record and begins its counts anew. */
  async passEndOfUpload(pass: EndOfUploadPass): Promise<PassOutcome> {
    const { keys, args } = markerGuard(pass);
    if (isAlreadyPassed(pass)) return { outcome: 'already_passed' };
    return readPassReply(pass, await this.#ask(() => this.#client.passEndOfUpload(keys.length, keys, args)));
  }

  /** Lets what is under way end, then closes; later calls reject. */
  async close(): Promise<void> {
    await this.#client.quit().catch(() => undefined);
    this.#client.disconnect();
  }

  async #ask<T>(command: () => Promise<T>): Promise<T> {
    try {
      return await command();
    } catch (error) {
      throw toRedisError(error);
    }
  }
}
