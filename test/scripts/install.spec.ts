// When a start has to install or build again.
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sourceStamp } from '../../scripts/compile.mjs';
import { missingPackages } from '../../scripts/install.mjs';

describe('missingPackages', () => {
  const lock = {
    packages: {
      '': { version: '0.1.0' },
      'node_modules/a': { version: '1.0.0', integrity: 'x' },
      'node_modules/a/node_modules/b': { version: '2.0.0', integrity: 'y' },
      'node_modules/binary-for-another-system': { version: '1.0.0', optional: true },
    },
  };
  const installed = { packages: { ...lock.packages, 'node_modules/more': { version: '1.0.0' } } };

  it('finds nothing to do when all is there; what is optional may lack, what is more may stay', () => {
    const { 'node_modules/binary-for-another-system': _, ...rest } = installed.packages;
    expect(missingPackages(lock, { packages: rest })).toEqual([]);
  });

  it('names what lacks, has another version or other content', () => {
    expect(missingPackages(lock, { packages: {} })).toEqual(['node_modules/a', 'node_modules/a/node_modules/b']);
    const other = { ...installed.packages, 'node_modules/a': { version: '1.0.1', integrity: 'x' } };
    expect(missingPackages(lock, { packages: other })).toEqual(['node_modules/a']);
    const forged = { ...installed.packages, 'node_modules/a': { version: '1.0.0', integrity: 'z' } };
    expect(missingPackages(lock, { packages: forged })).toEqual(['node_modules/a']);
    const unhashed = { packages: { 'node_modules/a': { version: '1.0.0' } } };
    expect(missingPackages(unhashed, { packages: forged })).toEqual([]);
  });
});

describe('sourceStamp', () => {
  let root: string;
  const write = (path: string, text = 'x'): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
    utimesSync(join(root, path), 1000, 1000);
  };
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'caudal-stamp-'));
    mkdirSync(join(root, 'apps'));
    write('libs/csv/src/index.ts');
    write('tsconfig.json');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it.each<[string, () => void]>([
    ['is longer', () => write('libs/csv/src/index.ts', 'longer')],
    ['was saved again', () => utimesSync(join(root, 'libs/csv/src/index.ts'), 1000, 2000)],
    ['was added', () => write('apps/ingest/src/main.ts')],
    ['was removed', () => rmSync(join(root, 'libs/csv/src/index.ts'))],
    ['was renamed', () => renameSync(join(root, 'libs/csv/src/index.ts'), join(root, 'libs/csv/src/other.ts'))],
    ['is a setting', () => write('tsconfig.json', '{}')],
  ])('changes when a source %s', (_, change) => {
    const before = sourceStamp(root);
    change();
    expect(sourceStamp(root)).not.toBe(before);
  });

  it('stays the same for the same sources, and when a test is added', () => {
    const before = sourceStamp(root);
    write('libs/csv/src/index.spec.ts');
    expect(sourceStamp(root)).toBe(before);
  });
});
