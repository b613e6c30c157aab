// Where a writer begins, for everything that Redis, the log and the group can say.
import { startPosition } from './start-position.js';

const GENERATION = 7;
const marker = (offset: bigint, generation = GENERATION) => ({ generation, offset });
const start = (args: Partial<Parameters<typeof startPosition>[0]>) =>
  startPosition({
    generation: GENERATION,
    marker: marker(50n),
    log: { start: 0n, end: 100n },
    committed: 50n,
    ...args,
  });

describe('startPosition', () => {
  it('is the marker when the group agrees, or has committed nothing or more', () => {
    const atMarker = { next: 50n, fromBeginning: false };
    expect(start({})).toEqual(atMarker);
    expect(start({ committed: undefined })).toEqual(atMarker);
    // Redis fell back to an older copy of itself: what it lost is written again.
    expect(start({ committed: 90n })).toEqual(atMarker);
  });

  it('is the committed offset when that is lower: the records between are written again and not counted', () => {
    expect(start({ committed: 20n })).toEqual({ next: 20n, fromBeginning: false });
  });

  it.each([
    ['there is no marker', { marker: null }],
    ['the marker is of another generation', { marker: marker(50n, 6) }],
    ['the marker lies beyond the end of the log', { marker: marker(101n) }],
  ])('is the beginning of the log when %s', (_, args) => {
    expect(start(args)).toEqual({ next: 0n, fromBeginning: true });
    expect(start({ ...args, log: { start: 10n, end: 100n } })).toEqual({ next: 10n, fromBeginning: true });
  });

  it('believes a marker at the very end of the log', () => {
    expect(start({ marker: marker(100n), committed: 100n })).toEqual({ next: 100n, fromBeginning: false });
  });

  it('is never before the beginning of the log: what expired there is not to be written', () => {
    expect(start({ log: { start: 60n, end: 100n } })).toEqual({ next: 60n, fromBeginning: false });
    expect(start({ committed: 20n, log: { start: 30n, end: 100n } })).toEqual({ next: 30n, fromBeginning: false });
  });

  it('has nothing to create in an empty log', () => {
    const empty = { start: 0n, end: 0n };
    expect(start({ marker: null, committed: undefined, log: empty })).toEqual({ next: 0n, fromBeginning: true });
    expect(start({ marker: marker(0n), log: empty })).toEqual({ next: 0n, fromBeginning: false });
  });
});
