// PGlite on a thread of its own: it takes a second of processor time to come up, and an answer of its takes as long as
// the query. JavaScript, so that Node runs the file as it stands, from the sources as from the build.
import { setFlagsFromString } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';

/**
 * PGlite clears all of its shared buffers at each start: of the 128 MB that are the default, that is most of a second
 * and 115 MB of memory, for a database whose files the system caches anyway.
 */
const SETTINGS = { startParams: [...PGlite.defaultStartParams, '-c', 'shared_buffers=4MB'] };

// V8's second compiler takes another second of a core while the service starts, and 60 MB: queries are no faster for it.
setFlagsFromString('--liftoff-only');

/** @typedef {import('./embedded-postgres.js').FromWorker} FromWorker */
/** @typedef {import('./embedded-postgres.js').ToWorker} ToWorker */

/** @type {unknown} */
const folder = workerData;
if (typeof folder !== 'string') throw new TypeError('The folder of a database is its path.');
const database = await PGlite.create(folder, SETTINGS);

/** @param {FromWorker} message */
const tell = (message) => {
  parentPort?.postMessage(message, message instanceof Uint8Array ? [message.buffer] : []);
};

parentPort?.on('message', (/** @type {ToWorker} */ message) => {
  if (message === 'close') {
    void database.close().then(() => process.exit());
    return;
  }
  database.execProtocolRaw(message).then(
    // What PGlite gives may be a view of its whole memory.
    (answer) => {
      tell(new Uint8Array(answer));
    },
    (/** @type {unknown} */ error) => {
      tell({ failure: String(error) });
    },
  );
});
tell('open');
