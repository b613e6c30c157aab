// Timestamps by pattern and zone: the fast way against Luxon's, and the clock of a zone against a naive search.
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { LocalZone } from './local-zone.js';
import { timestampReader } from './timestamp-reader.js';

const iso = (text: string, format: string | null, zone = 'UTC') => {
  const ms = timestampReader(format, zone)(text);
  return Number.isNaN(ms) ? null : new Date(ms).toISOString();
};
const SAO_PAULO = 'America/Sao_Paulo';

describe('timestampReader', () => {
  it.each<[string, string | null, string, string | null]>([
    ['31/12/2023', 'dd/MM/yyyy', 'UTC', '2023-12-31T00:00:00.000Z'],
    ['31/12/2023', 'dd/MM/yyyy', SAO_PAULO, '2023-12-31T03:00:00.000Z'],
    ['1/2/2023', 'd/M/yyyy', 'UTC', '2023-02-01T00:00:00.000Z'],
    ['01/02/2023 7:05', 'dd/MM/yyyy H:mm', 'UTC', '2023-02-01T07:05:00.000Z'],
    ['20230201', 'yyyyMMdd', 'UTC', '2023-02-01T00:00:00.000Z'],
    ['20230201235959123', 'yyyyMMddHHmmssSSS', 'UTC', '2023-02-01T23:59:59.123Z'],
    ['às 09h30 de 01.02.2023', "'às' HH'h'mm 'de' dd.MM.yyyy", 'UTC', '2023-02-01T09:30:00.000Z'],
    ['01/02/23', 'dd/MM/yy', 'UTC', '2023-02-01T00:00:00.000Z'],
    ['Feb 1 2023, 01:05 PM', 'MMM d yyyy, hh:mm a', 'UTC', '2023-02-01T13:05:00.000Z'],
    ['01/02/2023 12:05 am', 'dd/MM/yyyy h:mm a', 'UTC', '2023-02-01T00:05:00.000Z'],
    ['20230201120500PM', 'yyyyMMddhhmmssa', 'UTC', '2023-02-01T12:05:00.000Z'],
    ['01/02/2023 09:00 -03:00', 'dd/MM/yyyy HH:mm ZZ', 'UTC', '2023-02-01T12:00:00.000Z'],
    ['01/02/2023 09:00 -03:00', 'dd/MM/yyyy HH:mm ZZ', 'Asia/Tokyo', '2023-02-01T12:00:00.000Z'],
    ['2023-032', 'yyyy-ooo', 'UTC', '2023-02-01T00:00:00.000Z'],
    ['2023-02-01T09:00', null, SAO_PAULO, '2023-02-01T12:00:00.000Z'],
    ['2023-02-01', null, SAO_PAULO, '2023-02-01T03:00:00.000Z'],
    ['2023-02-01T09:00Z', null, SAO_PAULO, '2023-02-01T09:00:00.000Z'],
    ['2023-02-01T09:00+05:30', null, SAO_PAULO, '2023-02-01T03:30:00.000Z'],
  ])('%s by %s in %s', (text, format, zone, expected) => {
    expect(iso(text, format, zone)).toBe(expected);
  });

  it.each<[string, string, string | null]>([
    ['a day that does not exist', '30/02/2023', 'dd/MM/yyyy'],
    ['a month that does not exist', '01/13/2023', 'dd/MM/yyyy'],
    ['an hour too many', '01/02/2023 24:00', 'dd/MM/yyyy HH:mm'],
    ['a minute too many', '01/02/2023 23:60', 'dd/MM/yyyy HH:mm'],
    ['an hour that no half of a day has', '01/02/2023 13:00 AM', 'dd/MM/yyyy hh:mm a'],
    ['the hour 0 of a half day', 'Feb 1 2023 0:30 PM', 'MMM d yyyy h:mm a'],
    ['too few digits', '1/2/2023', 'dd/MM/yyyy'],
    ['more after it', '01/02/2023 ', 'dd/MM/yyyy'],
    ['another mark', '01-02-2023', 'dd/MM/yyyy'],
    ['any sign for a point', '01/02/2023', 'dd.MM.yyyy'],
    ['digits of another script', '٠١/٠٢/٢٠٢٣', 'dd/MM/yyyy'],
    ['the year 0', '01/02/0000', 'dd/MM/yyyy'],
    ['nothing like it', 'ontem', 'dd/MM/yyyy'],
  ])('does not read %s', (_, text, format) => {
    expect(iso(text, format)).toBeNull();
  });

  it('takes the earlier of two moments, none for a time that the clock skips, the first one of a day without midnight', () => {
    // Sao Paulo: at midnight of 2018-11-04 the clock went to 01:00, at midnight of 2019-02-17 back to 23:00.
    expect(iso('2018-11-04T00:30', null, SAO_PAULO)).toBeNull();
    expect(iso('04/11/2018 00:30', 'dd/MM/yyyy HH:mm', SAO_PAULO)).toBeNull();
    expect(iso('2018-11-04T01:00', null, SAO_PAULO)).toBe('2018-11-04T03:00:00.000Z');
    expect(iso('2018-11-04', null, SAO_PAULO)).toBe('2018-11-04T03:00:00.000Z');
    expect(iso('04/11/2018', 'dd/MM/yyyy', SAO_PAULO)).toBe('2018-11-04T03:00:00.000Z');
    expect(iso('2019-02-16T23:30', null, SAO_PAULO)).toBe('2019-02-17T01:30:00.000Z');
    // Samoa had no 30 December 2011.
    expect(iso('2011-12-30', null, 'Pacific/Apia')).toBeNull();
    expect(iso('2011-12-31', null, 'Pacific/Apia')).toBe('2011-12-30T10:00:00.000Z');
    // Before 1914 Sao Paulo kept its own mean time, 3 h 6 min 28 s behind.
    expect(iso('1900-01-01', null, SAO_PAULO)).toBe('1900-01-01T03:06:28.000Z');
    expect(iso('0001-01-01', null, 'Asia/Tokyo')).toBeNull();
  });

  it('reads what Luxon reads, and nothing else', () => {
    const formats = [
      'dd/MM/yyyy',
      'd/M/yyyy',
      'yyyy-MM-dd HH:mm:ss',
      'dd.MM.yyyy H:m',
      'yyyyMMddHHmmssSSS',
      'MM/dd/yyyy HH:mm',
    ];
    const digits = fc.array(fc.nat(9), { minLength: 8, maxLength: 17 });
    fc.assert(
      fc.property(
        fc.constantFrom(...formats),
        fc.date({ min: new Date(-6e13), max: new Date(2e14), noInvalidDate: true }),
        digits,
        fc.boolean(),
        (format, date, wild, real) => {
          let next = 0;
          const text = real
            ? DateTime.fromJSDate(date, { zone: 'utc' }).toFormat(format)
            : format.replaceAll(/[a-zA-Z]/g, () => String(wild[next++ % wild.length]));
          const expected = DateTime.fromFormat(text, format, { zone: 'utc' }).toMillis();
          const read = timestampReader(format, 'UTC')(text);
          expect(text.includes('0000') && Number.isNaN(read) ? expected : read).toBe(expected);
        },
      ),
      { numRuns: Number(process.env.CAUDAL_CASES ?? 1_000) },
    );
  });
});

describe('LocalZone', () => {
  it.each([SAO_PAULO, 'Europe/Lisbon', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Pacific/Apia', 'Asia/Kolkata'])(
    'finds the first moment at which the clock of %s shows a time',
    (name) => {
      const zone = new LocalZone(name);
      const shown = new Intl.DateTimeFormat('sv-SE', { timeZone: name, dateStyle: 'short', timeStyle: 'medium' });
      const clockMs = (ms: number) => Date.parse(`${shown.format(ms).replace(' ', 'T')}Z`);
      const quarter = 900_000;
      fc.assert(
        fc.property(fc.integer({ min: 1_104_537, max: 1_735_689 }), (block) => {
          // Every quarter of an hour of a span of a thousand seconds and a day around it.
          const localMs = Math.floor((block * 1_000_000) / quarter) * quarter;
          let first = NaN;
          for (let ms = localMs - 90_000_000; ms <= localMs + 90_000_000 && Number.isNaN(first); ms += quarter) {
            if (clockMs(ms) === localMs) first = ms;
          }
          expect(zone.instantMs(localMs)).toBe(first);
        }),
        { numRuns: Math.ceil(Number(process.env.CAUDAL_CASES ?? 1_000) / 50) },
      );
    },
  );
});
