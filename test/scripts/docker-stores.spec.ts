// Containers as the third way to Kafka and Redis: what is asked of docker.
import { containerName, runArguments } from '../../scripts/docker-stores.mjs';

describe('containers for npm start', () => {
  const options = { store: 'redis', name: 'caudal-x-redis', image: 'redis:7', port: 6380, inside: 6379 } as const;

  it('are published on loopback only, and removed when they end', () => {
    const args = runArguments({ ...options, keep: true });
    expect(args.slice(0, 2)).toEqual(['run', '--rm']);
    expect(args.join(' ')).toContain('--publish 127.0.0.1:6380:6379 ');
  });

  it('keep their data in a volume of their own name, or not at all', () => {
    expect(runArguments({ ...options, keep: true }).join(' ')).toContain('--volume caudal-x-redis:/data ');
    expect(runArguments({ ...options, keep: false })).not.toContain('--volume');
  });

  it('take settings before the image and a command after it', () => {
    const args = runArguments({ ...options, keep: false, settings: { A: 1 }, command: ['redis-server', '--x'] });
    expect(args.slice(args.indexOf('--env'))).toEqual(['--env', 'A=1', 'redis:7', 'redis-server', '--x']);
  });

  it('have a name of their own for each state folder', () => {
    const names = ['/a/.caudal', '/b/.caudal'].map((dir) => containerName(dir, 'kafka'));
    expect(new Set(names).size).toBe(2);
    expect(names[0]).toMatch(/^caudal-[0-9a-f]{12}-kafka$/);
  });
});
