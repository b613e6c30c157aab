// The wire formats, as other teams read them: these texts are the contract.
import { decodeControl, encodeControl } from './control-record.js';
import { deadLetter } from './dead-letter.js';
import { durationText, parseDurationMs } from './duration.js';
import { decodeEndOfFeatures, encodeEndOfFeatures, featureKey, parseFeatureKey } from './feature.js';
import { decodeGroup, encodeGroup } from './group-key.js';
import { parsePipelineFile } from './pipeline-file.js';
import { decodeRow, rowEncoder } from './row.js';
import { parseRunsKey, reportKey } from './run.js';
import { pipelineTopicSettings } from './topics.js';
import { readFileSync } from 'node:fs';

const pipeline = parsePipelineFile(readFileSync('pipelines/empresas.yaml', 'utf8'), 'empresas.yaml');

describe('rows', () => {
  it('are flat JSON of the declared columns with _upload, _row and _time', () => {
    const cells = ['1', '2023-01-10T09:00:00.000Z', 'São "Paulo"', null, '50000'];
    const json = rowEncoder(pipeline)(cells, '01J', 7, 1_673_341_200_000);
    expect(json).toBe(
      '{"cnpj":"1","data_abertura":"2023-01-10T09:00:00.000Z","cidade":"São \\"Paulo\\"","estado":null,' +
        '"capital_social":"50000","_upload":"01J","_row":7,"_time":1673341200000}',
    );
    expect(decodeRow(Buffer.from(json))).toMatchObject({ upload: '01J', row: 7, time: 1_673_341_200_000 });
  });

  it('write lone surrogates so that they stay valid UTF-8', () => {
    const json = rowEncoder(pipeline)(['\ud800', null, 'x', null, null], 'u', 1, 0);
    expect(Buffer.from(json).toString()).toBe(json);
  });
});

describe('keys', () => {
  it('stand raw for one column, as JSON for several', () => {
    expect(encodeGroup(['São Paulo'])).toBe('São Paulo');
    expect(encodeGroup(['a', 'b"c'])).toBe('["a","b\\"c"]');
    expect(decodeGroup('["a","b\\"c"]', 2)).toEqual(['a', 'b"c']);
    expect(decodeGroup('["a"]', 1)).toEqual(['["a"]']);
  });

  it('of features are view NUL group NUL window start', () => {
    expect(featureKey('v', 'g', 5)).toBe('v\u0000g\u00005');
    expect(featureKey('v', 'g', null)).toBe('v\u0000g\u0000');
    expect(parseFeatureKey('v\u0000g\u0000-5')).toEqual({ view: 'v', group: 'g', windowStart: -5 });
    expect(parseFeatureKey('v\u0000g\u0000')).toEqual({ view: 'v', group: 'g', windowStart: null });
    expect(parseFeatureKey('\u0000end-of-upload\u0000rows\u00001\u00002')).toBeNull();
  });

  it('of caudal.runs name runs, reports and files', () => {
    expect(parseRunsKey('01J')).toEqual({ kind: 'run', run: '01J' });
    expect(parseRunsKey(reportKey({ upload: '01J', stage: 'rows', partition: 3 }))).toEqual({
      kind: 'report',
      run: '01J',
    });
    expect(parseRunsKey('empresas/file/ab')).toEqual({ kind: 'file', pipeline: 'empresas', sha256: 'ab' });
    expect(parseRunsKey('a/b')).toBeNull();
  });
});

describe('control records', () => {
  const control = {
    kind: 'end-of-upload' as const,
    upload: '01J',
    row: 6,
    streamTime: 5,
    rowsInPartition: 2,
    rowsTotal: 6,
    sequence: 1001,
  };

  it('have a null key, the header caudal and the value of the contract', () => {
    const record = encodeControl(control);
    expect(record.key).toBeNull();
    expect(record.headers.caudal).toBe('end-of-upload');
    expect(JSON.parse(record.value)).toEqual({
      upload: '01J',
      row: 6,
      stream_time: 5,
      rows_in_partition: 2,
      rows_total: 6,
    });
  });

  it('are read back, and rows are none', () => {
    const { key, value, headers } = encodeControl(control);
    const buffers = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]));
    expect(decodeControl({ key, value: Buffer.from(value), headers: buffers })).toEqual(control);
    expect(decodeControl({ key: Buffer.from('k'), value: Buffer.from('{}'), headers: {} })).toBeNull();
  });

  it('in features have a bounded key that begins with NUL', () => {
    const end = { upload: '01J', sequence: 1001, stage: 'rows', partition: 3, rows: 2, late: 0, late_by_view: {} };
    const { key, value } = encodeEndOfFeatures(end);
    expect(key).toBe('\u0000end-of-upload\u0000rows\u00003\u00001');
    expect(decodeEndOfFeatures(key, Buffer.from(value))).toEqual(end);
  });
});

describe('dead letters', () => {
  const fields = { upload: 'u', row: 1, line: 2, column: 'c', code: 'type' as const, message: 'm' };

  it('keep up to 8 KiB as they are', () => {
    expect(deadLetter({ ...fields, raw: 'x'.repeat(8192) })).toMatchObject({ raw_truncated: false });
  });

  it('are cut at 8 KiB between characters', () => {
    const letter = deadLetter({ ...fields, raw: `x${'é'.repeat(5000)}` });
    expect(letter.raw_truncated).toBe(true);
    expect(Buffer.byteLength(letter.raw)).toBe(8191);
    expect(letter.raw.endsWith('é')).toBe(true);
  });
});

describe('durations', () => {
  it.each([
    ['250ms', 250],
    ['3m', 180_000],
    ['90d', 7_776_000_000],
    ['1.5h', null],
    ['5', null],
    ['999999999999d', null],
  ])('%s is %s ms', (text, ms) => expect(parseDurationMs(text)).toBe(ms));
});

describe('durations as text', () => {
  it.each(['250ms', '90s', '3m', '25h', '90d'])('%s comes back', (text) => {
    expect(durationText(parseDurationMs(text)!)).toBe(text);
  });
});

describe('topic settings', () => {
  const settingsOf = (ttlsMs: (number | null)[]) =>
    pipelineTopicSettings({
      prefix: 'caudal',
      pipeline: 'p',
      partitions: 4,
      retention: pipeline.retention,
      partials: false,
      ttlsMs,
    });

  it('keep features for ever while one view has no ttl', () => {
    expect(settingsOf([null, 5]).find((topic) => topic.name === 'caudal.p.features')!.config).toMatchObject({
      'cleanup.policy': 'compact',
      'segment.bytes': '67108864',
      'min.cleanable.dirty.ratio': '0.1',
    });
  });

  it('delete features with the largest ttl and a day when every view has one', () => {
    expect(settingsOf([1000, 5000]).find((topic) => topic.name === 'caudal.p.features')!.config).toMatchObject({
      'cleanup.policy': 'compact,delete',
      'retention.ms': '86405000',
    });
  });

  it('give uploads one partition, the rest as configured', () => {
    expect(settingsOf([null]).map(({ name, partitions }) => `${name} ${partitions}`)).toEqual([
      'caudal.p.rows 4',
      'caudal.p.features 4',
      'caudal.p.late 4',
      'caudal.p.dead-letter 4',
      'caudal.p.uploads 1',
      'caudal.p.changelog 4',
    ]);
  });
});
