// A load generator for one question: how fast are answers, and is every one of them right? A Node client that makes
// request and response objects is slower than the server it would measure, and wrk checks no Location cheaply: this
// one writes prepared bytes to sockets and looks for the expected ones in what comes back.
import { connect } from 'node:net';
import { createHistogram } from 'node:perf_hooks';

const HEAD_END = '\r\n\r\n';
const READ_BUFFER = 64 * 1024;
/** Seconds that answers may still take after the last request was sent. */
const PATIENCE = 10;

/**
 * What is asked, over and over, in order. `cursor` goes on from one run to the next, so that a request which is to be
 * a new one stays one.
 * @typedef {object} Workload
 * @property {number} count
 * @property {number} [cursor]
 * @property {(index: number) => string} request Head and body, as ISO 8859-1.
 * @property {(index: number, answer: string) => boolean} isRight Whether the whole answer is the expected one.
 */

/**
 * Runs a workload on keep-alive connections, one request at a time on each.
 * @param {object} options
 * @param {number} options.port
 * @param {number} options.connections
 * @param {number} options.seconds
 * @param {Workload} options.workload
 * @param {number} [options.rate] Requests a second at constant distances, sent whether or not answers come (an open
 * loop): latency then counts from the moment a request was due. Without it, each connection asks again at once.
 * @param {boolean} [options.sleeps] Leaves the core to others between requests of a rate, which are then up to two
 * milliseconds late.
 * @returns {Promise<{ answers: number, wrong: number, errors: number, seconds: number, latency: import('node:perf_hooks').RecordableHistogram, sample: string | null }>}
 */
export async function load({ port, connections, seconds, workload, rate, sleeps = false }) {
  const latency = createHistogram();
  const result = { answers: 0, wrong: 0, errors: 0, sample: null };
  const idle = [];
  let busy = 0;
  let ended = false;
  let settle;
  const settled = new Promise((resolve) => (settle = resolve));
  workload.cursor ??= 0;

  const ask = (client, due) => {
    const index = workload.cursor % workload.count;
    workload.cursor += 1;
    client.index = index;
    client.due = due;
    busy += 1;
    client.socket.write(workload.request(index), 'latin1');
  };
  const answered = (client, answer) => {
    busy -= 1;
    const now = performance.now();
    if (!ended) {
      result.answers += 1;
      latency.record(Math.max(1, Math.round((now - client.due) * 1e6)));
    }
    if (!workload.isRight(client.index, answer)) {
      result.wrong += 1;
      result.sample ??= answer.slice(0, 2_000);
    }
    if (ended) {
      if (busy === 0) settle();
    } else if (rate === undefined) ask(client, now);
    else idle.push(client);
  };
  const failed = (client, error) => {
    if (client.dead || client.closing) return;
    client.dead = true;
    result.errors += 1;
    result.sample ??= String(error);
    busy -= 1;
    if (busy <= 0) settle();
  };

  const clients = await Promise.all(Array.from({ length: connections }, () => open(port, answered, failed)));
  const started = performance.now();
  const end = started + seconds * 1_000;
  if (rate === undefined) {
    for (const client of clients) ask(client, performance.now());
    await stayAwake(end);
  } else {
    idle.push(...clients);
    await sendAtRate(rate, started, end, idle, ask, sleeps ? sleep : setImmediate);
  }
  const took = (performance.now() - started) / 1_000;
  ended = true;
  if (busy > 0) {
    const timer = setTimeout(() => {
      result.errors += busy;
      settle();
    }, PATIENCE * 1_000);
    await settled;
    clearTimeout(timer);
  }
  for (const client of clients) {
    client.closing = true;
    client.socket.destroy();
  }
  return { ...result, seconds: took, latency };
}

/**
 * Never sleeps until then: a server pays for waking the core of whoever waits for it, and a slower server, whose
 * clients wait, would pay more often than a fast one.
 */
function stayAwake(end) {
  return new Promise((resolve) => {
    const look = () => {
      if (performance.now() >= end) resolve();
      else setImmediate(look);
    };
    look();
  });
}

function sleep(callback) {
  setTimeout(callback, 1);
}

/** With `setImmediate` as `wait`, looks at the clock between any two events: a timer would be late. */
function sendAtRate(rate, started, end, idle, ask, wait) {
  const distance = 1_000 / rate;
  let sent = 0;
  return new Promise((resolve) => {
    const look = () => {
      const now = performance.now();
      let due = started + sent * distance;
      while (due <= now && due < end && idle.length > 0) {
        ask(idle.shift(), due);
        sent += 1;
        due = started + sent * distance;
      }
      if (now >= end) resolve();
      else wait(look);
    };
    look();
  });
}

function open(port, answered, failed) {
  return new Promise((resolve, reject) => {
    const client = { socket: null, index: 0, due: 0, dead: false, closing: false };
    let pending = '';
    let wanted = 0;
    const read = (bytes, buffer) => {
      const text = buffer.latin1Slice(0, bytes);
      pending = pending === '' ? text : pending + text;
      if (pending.length < wanted) return true;
      const headEnd = pending.indexOf(HEAD_END);
      if (headEnd === -1) return true;
      wanted = headEnd + HEAD_END.length + lengthIn(pending, headEnd);
      if (pending.length < wanted) return true;
      const answer = pending;
      pending = '';
      wanted = 0;
      answered(client, answer);
      return true;
    };
    client.socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: Buffer.alloc(READ_BUFFER), callback: read },
    });
    client.socket.once('connect', () => {
      resolve(client);
    });
    client.socket.on('error', (error) => {
      reject(error);
      failed(client, error);
    });
    client.socket.on('close', () => {
      failed(client, 'The server closed a connection');
    });
  });
}

/** `Content-Length`, in whatever case its name is written. */
function lengthIn(text, headEnd) {
  let at = text.indexOf('ength: ');
  if (at === -1 || at > headEnd) throw new Error('An answer has no Content-Length');
  at += 'ength: '.length;
  let length = 0;
  for (let code = text.charCodeAt(at); code >= 48 && code <= 57; code = text.charCodeAt((at += 1))) {
    length = length * 10 + code - 48;
  }
  return length;
}
