// One pipeline's drop folder on disk: which files are whole, and where they go when they are done with.
import { access, lstat, mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';

export type Outcome = 'done' | 'refused';

/** What a file looked like: another one of the same name, or one that still grows, looks different. */
export interface Look {
  size: number;
  mtimeMs: number;
  inode: number;
}

export interface Waiting {
  name: string;
  look: Look;
  /** A directory, say, is not `plain`; links are looked at when they are opened. */
  plain: boolean;
}

/** Names under which programs keep files that are not whole yet. */
const PARTIAL = /^[.~]|~$|\.(tmp|temp|part|partial|crdownload|filepart|swp|lock|writing)$/i;

export class InboxFolder {
  constructor(readonly path: string) {}

  /** Makes the folder with `done` and `refused` below it. */
  async prepare(): Promise<void> {
    for (const outcome of ['done', 'refused']) await mkdir(join(this.path, outcome), { recursive: true });
  }

  /** What lies there now, by name; folders, hidden and partial files are passed over. */
  async list(): Promise<Waiting[]> {
    const found: Waiting[] = [];
    const names = (await readdir(this.path)).filter((name) => !PARTIAL.test(name)).sort();
    for (const name of names) {
      const stat = await lstat(join(this.path, name)).catch(() => null);
      if (!stat || stat.isDirectory()) continue;
      const look = { size: stat.size, mtimeMs: stat.mtimeMs, inode: stat.ino };
      found.push({ name, look, plain: stat.isFile() || stat.isSymbolicLink() });
    }
    return found;
  }

  /**
   * Moves a file away with its report beside it (`NAME.report.json`). Nothing there is overwritten: a name that is taken
   * gets `mark` in it. The report comes first: after a crash in between the file is still here, and is met again.
   */
  async moveAway(name: string, outcome: Outcome, mark: string, report: object): Promise<string> {
    // No report of a file that somebody has taken away.
    await lstat(join(this.path, name));
    const target = await this.freeName(name, outcome, mark);
    const folder = join(this.path, outcome);
    const text = `${JSON.stringify(report, null, 2)}\n`;
    await writeFile(join(folder, `.${target}.report.tmp`), text);
    await rename(join(folder, `.${target}.report.tmp`), join(folder, `${target}.report.json`));
    await rename(join(this.path, name), join(folder, target));
    return target;
  }

  private async freeName(name: string, outcome: Outcome, mark: string): Promise<string> {
    const extension = extname(name);
    const stem = name.slice(0, name.length - extension.length);
    for (let n = 0; ; n++) {
      const candidate = n === 0 ? name : `${stem}.${n === 1 ? mark : `${mark}-${n}`}${extension}`;
      const taken = await access(join(this.path, outcome, candidate)).then(
        () => true,
        () => false,
      );
      if (!taken) return candidate;
    }
  }
}

export function isSameLook(one: Look, other: Look): boolean {
  return one.size === other.size && one.mtimeMs === other.mtimeMs && one.inode === other.inode;
}
