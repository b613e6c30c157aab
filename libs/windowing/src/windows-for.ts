// Which window a row falls into. Hopping windows will make this several, sessions a question to the store.
import type { WindowSpec } from '#contracts';
import { WindowingError } from './errors.js';
import { ALL_TIME, type WindowId } from './window.js';

/** `timeMs`: the row's event time, epoch ms. Throws WindowingError `bad_row` when a time window needs it and it is none. */
export function windowFor(spec: WindowSpec, upload: string, timeMs: number): WindowId {
  switch (spec.type) {
    case 'upload':
      return upload;
    case 'all_time':
      return ALL_TIME;
    case 'tumbling':
      return tumblingStartMs(timeMs, spec.sizeMs);
    case 'hopping':
    case 'session':
      throw new TypeError(`no ${spec.type} windows in this version`);
  }
}

/** Windows are half-open and aligned to the epoch, before 1970 as after. */
function tumblingStartMs(timeMs: number, sizeMs: number): number {
  if (!Number.isSafeInteger(timeMs)) {
    throw new WindowingError('bad_row', `_time ${timeMs} is no epoch time in ms: let only ingest write the rows topic`);
  }
  const rest = timeMs % sizeMs;
  return timeMs - (rest < 0 ? rest + sizeMs : rest);
}
