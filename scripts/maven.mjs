// Brings jars from Maven Central into the cache, once for all clones of a user, with progress.
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './processes.mjs';
import { startProgress } from './say.mjs';
import { waitForLock } from './lock.mjs';

/** Artifacts as a pom. `exact`: without what they depend on. */
function pom(artifacts, exact) {
  const exclusions = exact
    ? '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>'
    : '';
  const dependencies = artifacts.map((artifact) => {
    const [groupId, artifactId, version] = artifact.split(':');
    return `<dependency><groupId>${groupId}</groupId><artifactId>${artifactId}</artifactId><version>${version}</version>${exclusions}</dependency>`;
  });
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>',
    '<groupId>caudal</groupId><artifactId>downloads</artifactId><version>1</version>',
    `<dependencies>${dependencies.join('\n')}</dependencies></project>`,
  ].join('\n');
}

/** Bytes of a line of Maven's like 'Downloaded from central: https://... (54 kB at 1.2 MB/s)'; 0 for other lines. */
export function downloadedBytes(line) {
  const found = /^(?:\[INFO\] )?Downloaded from .*\(([\d.]+) (B|kB|MB) at /.exec(line);
  return found ? Number(found[1]) * { B: 1, kB: 1e3, MB: 1e6 }[found[2]] : 0;
}

/** Whether the cache already has them. */
export const hasJars = (cacheDir, name) => existsSync(join(cacheDir, name));

/**
 * The folder `<cacheDir>/<name>` with the jars of `artifacts` ('group:artifact:version') and, unless `exact`, of what
 * they need. Appears complete or not at all. Throws with Maven's last lines.
 */
export async function fetchJars({ cacheDir, name, label, artifacts, exact = false, env, say }) {
  const target = join(cacheDir, name);
  if (hasJars(cacheDir, name)) return target;
  const lock = await waitForLock(join(cacheDir, 'download.lock'), ({ pid }) =>
    say(`Another Caudal (process ${pid}) is downloading; waiting for it.`),
  );
  try {
    if (hasJars(cacheDir, name)) return target;
    const work = join(cacheDir, `${name}.part`); // ours alone: we hold the lock
    rmSync(work, { recursive: true, force: true });
    mkdirSync(work, { recursive: true });
    writeFileSync(join(work, 'pom.xml'), pom(artifacts, exact));
    await copyDependencies({ work, label, env, say });
    renameSync(join(work, 'jars'), target);
    rmSync(work, { recursive: true, force: true });
    return target;
  } finally {
    lock.release();
  }
}

async function copyDependencies({ work, label, env, say }) {
  let files = 0;
  let bytes = 0;
  const describe = () => `${label} from Maven Central: ${files} files, ${(bytes / 1e6).toFixed(1)} MB fetched`;
  say(`${label}: fetching from Maven Central (kept in the cache for later starts) ...`);
  const progress = startProgress(describe);
  const onLine = (line) => {
    const more = downloadedBytes(line);
    if (more === 0) return;
    files += 1;
    bytes += more;
  };
  try {
    // Each Maven's own default version of the plugin: the one that it was released with.
    const args = [
      '-B',
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${join(work, 'jars')}`,
    ];
    await run({ name: 'mvn', command: 'mvn', args, cwd: work, env, onLine });
    const jars = readdirSync(join(work, 'jars')).length;
    progress.end(`${label}: ${jars} jars ready, ${(bytes / 1e6).toFixed(1)} MB fetched`);
  } catch (cause) {
    progress.end();
    const hint = 'Is the network there, and does Maven reach its repository (settings.xml, proxy)?';
    throw new Error(`${label} could not be fetched. ${hint}\n${cause.message}`, { cause });
  }
}
