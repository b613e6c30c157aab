// Loaded into a service with `node --import`: takes the transactions away, for the control that must FAIL. What was a
// transactional producer becomes a plain one; begin, commit, abort and the group's offsets do nothing.
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { Kafka } = createRequire(join(process.cwd(), 'package.json'))('kafkajs');
const makeProducer = Kafka.prototype.producer;

Kafka.prototype.producer = function ({ transactionalId, transactionTimeout, ...options } = {}) {
  const producer = makeProducer.call(this, { ...options, transactionTimeout });
  if (transactionalId === undefined) return producer;
  const nothing = async () => {};
  producer.transaction = async () => ({
    send: (batch) => producer.send(batch),
    sendBatch: (batch) => producer.sendBatch(batch),
    sendOffsets: nothing,
    commit: nothing,
    abort: nothing,
    isActive: () => true,
  });
  return producer;
};
