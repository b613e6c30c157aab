// Finds a Java that can run Kafka: asked by running it, since a `java` program may be there without a Java.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** What Kafka 4 needs of a JRE. */
export const javaMajorMin = 17;

/** 17 of 'openjdk version "17.0.15"', 8 of 'java version "1.8.0_392"', 21 of '"21-ea"'; undefined for anything else. */
export function javaMajor(text) {
  const found = /version "(?:1\.)?(\d+)/.exec(text);
  return found ? Number(found[1]) : undefined;
}

/**
 * The command of the first good Java ($JAVA_HOME, then PATH): `{command}`, or `{problem}` in words.
 */
export function findJava(env) {
  const candidates = [...(env.JAVA_HOME ? [join(env.JAVA_HOME, 'bin', 'java')] : []), 'java'];
  let problem = 'no java found';
  for (const command of candidates) {
    const asked = spawnSync(command, ['-version'], { env, encoding: 'utf8' });
    const major = asked.status === 0 ? javaMajor(asked.stderr + asked.stdout) : undefined;
    if (major !== undefined && major >= javaMajorMin) return { command };
    if (major !== undefined) problem = `${command} is Java ${major}, older than ${javaMajorMin}`;
  }
  return { problem };
}

/** Whether Maven's `mvn` runs. */
export function hasMaven(env) {
  return spawnSync('mvn', ['-v'], { env, encoding: 'utf8' }).status === 0;
}
