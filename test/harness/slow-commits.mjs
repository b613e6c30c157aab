// Preloaded into ingest by a test (`--import`): lets a moment pass after each commit of the publisher, so that a file of
// a few transactions can be interrupted between two of them.
const { Transaction } = await import('../../dist/libs/kafka/src/producers.js');

const PAUSE_MS = 700;
const isRow = (record) => record.topic.endsWith('.rows');
const { send, commit } = Transaction.prototype;

Transaction.prototype.send = function (records) {
  this.holdsRows ||= records.some(isRow);
  return send.call(this, records);
};

Transaction.prototype.commit = async function () {
  await commit.call(this);
  if (this.holdsRows) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
};
