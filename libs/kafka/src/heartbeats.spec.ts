// The heartbeat timer: it beats, and gives back what the group said.
import { beatWhile } from './heartbeats.js';
import { sleep } from './sleep.js';

describe('beatWhile', () => {
  it('beats until it is stopped', async () => {
    let beats = 0;
    const thirdBeat = Promise.withResolvers<void>();
    const beating = beatWhile(async () => {
      if (++beats === 3) thirdBeat.resolve();
    }, 2);
    await thirdBeat.promise;
    await beating.stop();
    const before = beats;
    await sleep(20);
    expect(beats).toBe(before);
  });

  it('throws the very first error when it is stopped, and beats no more after it', async () => {
    const rebalance = Object.assign(new Error('rebalance'), { type: 'REBALANCE_IN_PROGRESS' });
    let beats = 0;
    const beating = beatWhile(() => {
      beats++;
      return Promise.reject(rebalance);
    }, 2);
    await sleep(30);
    await expect(beating.stop()).rejects.toBe(rebalance);
    expect(beats).toBe(1);
  });
});
