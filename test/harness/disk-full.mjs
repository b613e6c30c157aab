// Loaded into a service with `node --import`: while `<CAUDAL_STATE_DIR>/disk-full` is there, every write of file handles
// fails as on a full disk. Production code knows nothing of it.
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const flag = join(process.env.CAUDAL_STATE_DIR ?? '.', 'disk-full');
const handle = await open(fileURLToPath(import.meta.url));
const { prototype } = handle.constructor;
await handle.close();

for (const name of ['write', 'writev', 'appendFile', 'writeFile']) {
  const real = prototype[name];
  prototype[name] = function (...args) {
    if (!existsSync(flag)) return real.apply(this, args);
    return Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }));
  };
}
