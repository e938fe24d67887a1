// PGlite on a thread of its own: it takes a second of processor time to come up, and a query blocks its thread until the
// response. As a program, with a folder as its argument, it creates the database's files there and exits.
// JavaScript, so that Node runs the file as it stands, from the sources as from the build.
import { setFlagsFromString } from 'node:v8';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';

/**
 * PGlite clears all of its shared buffers at each start: of the 128 MB that are the default, that is most of a second
 * and 115 MB of memory, for a database whose files the system caches anyway.
 */
const SETTINGS = { startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=4MB'] };

// V8's second compiler takes another second of a core while the service starts, and 60 MB (700 MB for a while from Node 24):
// queries are no faster for it. The first flag implies the others, but only on the command line.
setFlagsFromString('--liftoff-only --no-wasm-tier-up --no-wasm-dynamic-tiering');

/** @typedef {import('./embedded-postgres.js').FromWorker} FromWorker */
/** @typedef {import('./embedded-postgres.js').ToWorker} ToWorker */

/** @type {unknown} */
const folder = isMainThread ? process.argv[2] : workerData;
if (typeof folder !== 'string') throw new TypeError('The folder of a database is its path.');
if (isMainThread) createFiles(folder);
else serve(await PGlite.create(folder, SETTINGS));

/** Exits with the process that started it, or with 1 and the reason on stderr. @param {string} folder */
function createFiles(folder) {
  // PGlite blocks its thread for more than a second, in which this one can still exit.
  const thread = new Worker(new URL(import.meta.url), { workerData: folder });
  process.stdin.resume().once('end', () => process.exit(1));
  thread.once('message', () => {
    thread.postMessage(/** @type {ToWorker} */ ('close'));
  });
  thread.once('error', (error) => {
    process.stderr.write(String(error));
    process.exitCode = 1;
  });
  thread.once('exit', () => process.exit());
}

/** @param {PGlite} database */
function serve(database) {
  parentPort?.on('message', (/** @type {ToWorker} */ message) => {
    if (message === 'close') {
      void database.close().then(() => process.exit());
      return;
    }
    database.execProtocolRaw(message).then(
      // What PGlite returns may be a view of its whole memory.
      (response) => {
        send(new Uint8Array(response));
      },
      (/** @type {unknown} */ error) => {
        send({ failure: String(error) });
      },
    );
  });
  send('open');
}

/** @param {FromWorker} message */
function send(message) {
  parentPort?.postMessage(message, message instanceof Uint8Array ? [message.buffer] : []);
}
