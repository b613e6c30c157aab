// Which process holds the lease: so that an ingest that is started again where its predecessor was killed need not wait
// until that one has been silent for long enough.
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  /** Where process numbers mean the same: this boot of this machine, this container. */
  space: string;
  pid: number;
  /** When it began, in the kernel's words: a number is used again. Null where the system does not tell. */
  started: string | null;
}

export function ownIdentity(): ProcessIdentity {
  return { space: ownSpace(), pid: process.pid, started: startOf(process.pid) };
}

/** Whether that process has surely ended. False where it runs elsewhere: nothing is known of it there. */
export function hasEnded({ space, pid, started }: ProcessIdentity): boolean {
  if (space !== ownSpace()) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as { code?: string }).code === 'ESRCH';
  }
  return started !== null && startOf(pid) !== started;
}

function ownSpace(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return `${hostname()}/${process.platform}`;
  }
}

/** Field 22 of /proc/PID/stat, counted behind the name, which may hold blanks; null for one that is only remembered. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : fields[19]!;
  } catch {
    return null;
  }
}
