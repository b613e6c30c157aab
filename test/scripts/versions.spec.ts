// What other programs print about themselves, read by the scripts.
import { javaMajor } from '../../scripts/java.mjs';
import { downloadedBytes } from '../../scripts/maven.mjs';
import { isNewEnough, redisVersion } from '../../scripts/native-redis.mjs';

describe('javaMajor', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17],
    ['java version "1.8.0_392"', 8],
    ['openjdk version "21-ea" 2023-09-19', 21],
    ['Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "24" 2025-03-18', 24],
    ['The operation couldn’t be completed. Unable to locate a Java Runtime.', undefined],
  ])('of %p is %p', (text, major) => {
    expect(javaMajor(text)).toBe(major);
  });
});

describe('redisVersion', () => {
  it.each<[string, [number, number] | undefined, boolean]>([
    ['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64', [7, 0], true],
    ['Redis server v=6.2.6 sha=1:0', [6, 2], true],
    ['Redis server v=6.0.16 sha=1:0', [6, 0], false],
    ['Redis server v=5.9.1 sha=1:0', [5, 9], false],
    ['Valkey server v=8.0.1 sha=1:0', [8, 0], true],
    ['command not found', undefined, false],
  ])('of %p is %p, new enough: %p', (text, version, good) => {
    expect(redisVersion(text)).toEqual(version);
    expect(version !== undefined && isNewEnough(version)).toBe(good);
  });
});

describe('downloadedBytes', () => {
  it.each([
    ['[INFO] Downloaded from central: https://host/a-1.jar (41 kB at 451 kB/s)', 41_000],
    ['Downloaded from internal-mirror: https://host/a.jar (1.5 MB at 2.0 MB/s)', 1_500_000],
    ['[INFO] Downloaded from central: https://host/a.pom (385 B at 1.2 kB/s)', 385],
    ['[INFO] Downloading from central: https://host/a.jar', 0],
    ['[INFO] BUILD SUCCESS', 0],
  ])('of %p is %p', (line, bytes) => {
    expect(downloadedBytes(line)).toBe(bytes);
  });
});
