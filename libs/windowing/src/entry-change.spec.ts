// An entry's records: exactly the contract's bytes, and back.
import { parsePipelineFile } from '#contracts';
import {
  changelogKey,
  decodeEntry,
  decodeWindow,
  encodeEntry,
  encodeFeature,
  featureRecord,
  parseChangelogKey,
} from './entry-change.js';
import { ViewState } from './view-state.js';

const pipeline = parsePipelineFile(
  `
name: lojas
source:
  columns:
    cidade: { type: string, required: true }
    "2": { type: string, required: true }
    valor: { type: decimal }
views:
  por_dia:
    group_by: [cidade, "2"]
    window: { type: tumbling, size: 1d, grace: 1h }
    features: { z: { count: "*" }, a: { sum: valor }, media: { avg: valor } }
    redis: { key: "{cidade}:{2}" }
`,
  'lojas.yaml',
);
const state = new ViewState(pipeline.views[0]!, pipeline);
const group = '["São \\"Paulo\\"","x"]';
const key = changelogKey('por_dia', group, -86_400_000);
const entryOf = (...values: (string | null)[]) => {
  const entry = state.newEntry('u1');
  for (const valor of values) state.addRow(entry, { upload: 'u1', row: 1, time: 0, cells: { valor } });
  return entry;
};
const code = (name: string) => expect.objectContaining({ code: name, retriable: false });

describe('changelog records', () => {
  it('have view, group and window as key, upload and accumulators as value', () => {
    expect(key).toBe(`por_dia\u0000${group}\u0000-86400000`);
    expect(encodeEntry(state, entryOf('0.1', null, '0.2'))).toBe('["u1",3,"0.3",["0.3",2]]');
    expect(encodeEntry(state, entryOf())).toBe('["u1",0,null,null]');
  });

  it('are read back, also with NUL in the group', () => {
    expect(parseChangelogKey(key)).toEqual({ view: 'por_dia', group, window: '-86400000' });
    expect(parseChangelogKey('v\u0000a\u0000b\u0000')).toEqual({ view: 'v', group: 'a\u0000b', window: '' });
    expect(decodeWindow(state, key, group, '-86400000')).toBe(-86_400_000);
    const value = encodeEntry(state, entryOf('0.1', null, '0.2'));
    expect(encodeEntry(state, decodeEntry(state, key, value))).toBe(value);
  });

  it.each(['', 'por_dia', 'por_dia\u0000x', '\u0000x\u0000'])('are refused with the key %j', (bad) => {
    expect(() => parseChangelogKey(bad)).toThrow(code('bad_changelog'));
  });

  it.each([
    'x',
    '{}',
    'null',
    '["u1",3,"0.3"]',
    '["u1",3,"0.3",null,"1"]',
    '[1,3,"0.3",null]',
    '["u1",-3,"0.3",null]',
    '["u1",3,"x",null]',
  ])('are refused with the value %s', (bad) => {
    expect(() => decodeEntry(state, key, bad)).toThrow(code('bad_changelog'));
    expect(() => decodeEntry(state, key, bad)).toThrow('caudal reset');
  });

  it.each([
    [group, '5'],
    [group, ''],
    ['São Paulo', '0'],
    ['["a"]', '0'],
    ['["a",1]', '0'],
    ['{"length":2}', '0'],
  ])("are refused with a group or window that is not the view's: %s %s", (badGroup, window) => {
    expect(() => decodeWindow(state, key, badGroup, window)).toThrow(code('bad_changelog'));
  });
});

describe('feature records', () => {
  const at = { id: -86_400_000, group, entry: entryOf('10', '0', '0'), final: true, streamTime: 5 };

  it('stand in the order of the contract, with the columns in the order of the view', () => {
    expect(encodeFeature(state, at)).toEqual({
      key: `por_dia\u0000${group}\u0000-86400000`,
      value:
        '{"view":"por_dia","key":{"cidade":"São \\"Paulo\\"","2":"x"},' +
        '"window":{"type":"tumbling","start":-86400000,"end":0},' +
        '"features":{"z":3,"a":"10","media":"3.333333"},"final":true,"upload":"u1","stream_time":5}',
    });
  });

  it('have no start and end outside windows of time, and one raw group value', () => {
    const view = { ...pipeline.views[0]!, groupBy: ['cidade'], window: { type: 'upload' } as const };
    const record = encodeFeature(new ViewState(view, pipeline), {
      ...at,
      id: 'u1',
      group: 'Belém "x"',
      entry: entryOf(),
      streamTime: null,
    });
    expect(record).toEqual({
      key: 'por_dia\u0000Belém "x"\u0000',
      value:
        '{"view":"por_dia","key":{"cidade":"Belém \\"x\\""},"window":{"type":"upload","start":null,"end":null},' +
        '"features":{"z":0,"a":null,"media":null},"final":true,"upload":"u1","stream_time":null}',
    });
  });

  it('are objects too', () => {
    expect(JSON.stringify(featureRecord(state, at).features)).toBe('{"z":3,"a":"10","media":"3.333333"}');
    expect(featureRecord(state, at).key).toEqual({ cidade: 'São "Paulo"', '2': 'x' });
  });
});
