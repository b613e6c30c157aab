// Which ports are used: the usual one, a free one when it is taken, never another one when the environment named it.
import { createServer, connect } from 'node:net';
import { join } from 'node:path';
import { tryLock } from './lock.mjs';

const tries = 200;

/** A port number from text. Throws an Error that names the variable. */
export function parsePort(variable, text) {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw new Error(`${variable}=${text} is not a port: give a number from 1 to 65535.`);
  return port;
}

/** A port that is free at this moment on loopback, given by the system. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether something answers on a port. */
export function answers(host, port, limitMs = 1000) {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(limitMs, () => end(false));
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

/** Throws when something answers on a loopback port: it would be taken for the program about to be started there. */
export async function refuseTakenPort(name, port) {
  if (await answers('127.0.0.1', port)) {
    throw new Error(
      `${name} cannot start on port ${port}: something else answers there. Stop it, or choose another port.`,
    );
  }
}

/** Whether a server could listen there now. */
export async function isFree(host, port) {
  const listens = await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
  // Where a system lets two programs listen on one port (macOS, loopback beside all addresses) only asking tells.
  return listens && !(await answers(host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host, port));
}

/**
 * Takes one port for `name`. With `variable` set in `env` that port or an Error that names the variable; else the
 * usual one, or the next free one, which is said. It is reserved in `cacheDir` so that two starts at the same moment
 * never take the same. Answers the port number.
 */
export async function takePort({ name, variable, usual, host = '127.0.0.1', env, cacheDir, say }) {
  const reserveAndTest = async (port) => {
    const reservation = tryLock(join(cacheDir, 'ports', String(port)));
    if (!reservation.release) return false;
    if (await isFree(host, port)) {
      process.once('exit', () => reservation.release());
      return true;
    }
    reservation.release();
    return false;
  };
  const given = variable ? env[variable] : undefined;
  if (given !== undefined) {
    const port = parsePort(variable, given);
    if (await reserveAndTest(port)) return port;
    throw new Error(
      `${variable}=${given}: port ${port} (${name}) is taken. Stop what uses it, or set ${variable} to another port or not at all.`,
    );
  }
  for (let port = usual; port < usual + tries; port += 1) {
    if (!(await reserveAndTest(port))) continue;
    if (port !== usual) say(`Port ${usual} (${name}) is taken: using ${port}.`);
    return port;
  }
  throw new Error(`No free port for ${name} from ${usual} to ${usual + tries - 1}. Stop something that listens there.`);
}
