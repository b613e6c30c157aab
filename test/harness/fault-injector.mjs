// Loaded into a service with `node --import`: lets a test kill or stop the process at an exact point of its talk with
// Kafka or Redis. Production code knows nothing of it.
//
// The test writes `<CAUDAL_STATE_DIR>/fault-<pid>` with `kill:EndTxn:before:3` (do, at which request, before or after
// it is written, at the how manieth one; `:Produce` behind it: counted only from the first Produce on) and sends SIGUSR2.
// `armed-<pid>` says that it was read, `fired-<pid>` that it happened. CAUDAL_TEST_FAULT arms it from the start.
import { readFileSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';

const kafkaRequests = new Map([
  [0, 'Produce'],
  [8, 'OffsetCommit'],
  [22, 'InitProducerId'],
  [24, 'AddPartitionsToTxn'],
  [25, 'AddOffsetsToTxn'],
  [26, 'EndTxn'],
  [28, 'TxnOffsetCommit'],
]);
/** A fetch of a changelog is a restore: nobody reads it otherwise. */
const fetch = 1;
const clientId = 'caudal-';
const file = (kind) => join(process.env.CAUDAL_STATE_DIR ?? '.', `${kind}-${process.pid}`);

let fault;

function arm(text) {
  const [action, at, when, count, after] = text.trim().split(':');
  fault = { text, signal: action === 'kill' ? 'SIGKILL' : 'SIGSTOP', at, when, left: Number(count), after };
  writeFileSync(file('armed'), text);
}

/** A Kafka request is one write: length, api key, version, correlation id, client id. */
function kafkaRequest(chunk) {
  if (!Buffer.isBuffer(chunk) || chunk.length < 14 + clientId.length) return undefined;
  if (chunk.readInt32BE(0) !== chunk.length - 4) return undefined;
  if (chunk.toString('latin1', 14, 14 + clientId.length) !== clientId) return undefined;
  if (chunk.readInt16BE(4) === fetch) return chunk.includes('changelog') ? 'Restore' : undefined;
  return kafkaRequests.get(chunk.readInt16BE(4));
}

/** A Redis command that runs a script: `*n $7 evalsha ...`. */
function redisRequest(chunk) {
  const begin = typeof chunk === 'string' ? chunk.slice(0, 40) : chunk.toString?.('latin1', 0, 40);
  return /^\*\d+\r\n\$\d+\r\neval(sha)?\r\n/i.test(begin ?? '') ? 'Eval' : undefined;
}

/** Whether the armed fault is due at this request. */
function isDue(request) {
  if (!fault || !request) return false;
  if (fault.after) {
    if (request === fault.after) fault.after = undefined;
    return false;
  }
  if (request !== fault.at) return false;
  fault.left -= 1;
  return fault.left === 0;
}

function fire() {
  const { signal, text } = fault;
  fault = undefined;
  writeFileSync(file('fired'), text);
  process.kill(process.pid, signal);
}

const write = Socket.prototype.write;
Socket.prototype.write = function (chunk, ...rest) {
  if (!fault || !isDue(kafkaRequest(chunk) ?? redisRequest(chunk))) return write.call(this, chunk, ...rest);
  if (fault.when === 'before') fire();
  const answer = write.call(this, chunk, ...rest);
  if (fault) fire();
  return answer;
};

process.on('SIGUSR2', () => arm(readFileSync(file('fault'), 'utf8')));
if (process.env.CAUDAL_TEST_FAULT) arm(process.env.CAUDAL_TEST_FAULT);
