// A file on the machine as a body: opened only below its folder (links are followed first, then the rule is asked), read
// within the limits of any body, and refused when it changes while it is read.
import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { basename, resolve, sep } from 'node:path';
import { Problem } from '../problem.js';
import { fileBytes, type BodyLimits } from '../uploads/body.js';

export interface SourceFile {
  fileName: string;
  /** Can be read once; lets go of the file when it ends. Errors are {@link Problem}s. */
  bytes: AsyncIterable<Buffer>;
  /** Lets go of a file whose bytes are not read. */
  close(): Promise<void>;
}

/**
 * Opens `name` (relative to `folder`). Throws {@link Problem}: 404 `file_missing`, 400 for what is outside or no plain file,
 * 413 for what is too large.
 */
export async function openSourceFile(
  folder: string,
  name: string,
  limits: BodyLimits,
  stop: AbortSignal,
): Promise<SourceFile> {
  const path = await pathBelow(folder, name);
  const handle = await openPlain(path, name);
  const { size } = await handle.stat();
  if (size > limits.bodyBytes) {
    await handle.close();
    throw new Problem(413, 'too_large', `the file is larger than the limit of ${limits.bodyBytes} bytes`);
  }
  const gzip = /\.gz$/i.test(name);
  return {
    fileName: basename(name).slice(0, 255),
    bytes: readOnce(handle, limits, stop, gzip),
    close: () => handle.close(),
  };
}

/** The real path of `name`, when it lies below the real path of `folder`. */
export async function pathBelow(folder: string, name: string): Promise<string> {
  if (name === '' || name.length > 4_096 || name.includes('\u0000')) {
    throw new Problem(400, 'bad_file', 'the file must be a path of 1 to 4096 characters');
  }
  const wanted = resolve(folder, name);
  // Before anything is looked up: whether files exist elsewhere is not told.
  if (!isBelow(folder, wanted)) throw outside();
  const [root, path] = await Promise.all([realpath(folder), realpath(wanted)]).catch((error: unknown) => {
    throw fileProblem(error);
  });
  if (!isBelow(root, path)) throw outside();
  return path;
}

const isBelow = (folder: string, path: string): boolean =>
  path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

const outside = (): Problem => new Problem(400, 'outside', 'the file must lie below its folder, links included');

const notPlain = (name: string): Problem =>
  new Problem(400, 'not_a_file', `"${name.slice(0, 200)}" is not a plain file`);

async function openPlain(path: string, name: string): Promise<FileHandle> {
  // The path has no links any more: one that has come since is not followed. Nor is a pipe waited for.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch((error: unknown) => {
    throw fileProblem(error);
  });
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw notPlain(name);
}

function fileProblem(error: unknown): Problem {
  const { code = 'unknown' } = error as { code?: string };
  if (code === 'ENOENT' || code === 'ENOTDIR') return new Problem(404, 'file_missing', 'there is no such file');
  if (code === 'ELOOP' || code === 'ENXIO' || code === 'EISDIR') return notPlain('it');
  return new Problem(400, 'file_unreadable', `the file cannot be read (${code}): look at its permissions`);
}

async function* readOnce(
  handle: FileHandle,
  limits: BodyLimits,
  stop: AbortSignal,
  gzip: boolean,
): AsyncGenerator<Buffer> {
  try {
    const before = await handle.stat();
    yield* fileBytes(handle.createReadStream({ autoClose: false, start: 0 }), limits, stop, gzip);
    const after = await handle.stat();
    if (after.size !== before.size || after.mtimeMs !== before.mtimeMs) {
      throw new Problem(409, 'file_changed', 'the file changed while it was read: send it when it is whole');
    }
  } finally {
    await handle.close();
  }
}
