// Preloaded into ingest by a test (`--import`): kills the process right after it has committed the transaction with an
// upload's end, before it can do anything with that.
const { Transaction } = await import('../../dist/libs/kafka/src/producers.js');

const isEnd = (record) => record.headers?.caudal === 'end-of-upload';
const { send, commit } = Transaction.prototype;

Transaction.prototype.send = function (records) {
  this.holdsEnd ||= records.some(isEnd);
  return send.call(this, records);
};

Transaction.prototype.commit = async function () {
  await commit.call(this);
  if (this.holdsEnd) process.kill(process.pid, 'SIGKILL');
};
