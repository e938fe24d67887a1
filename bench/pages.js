// `npm run measure:pages`: how long the pages for people take to be there, and how much of them is sent.
// With `-- --dry` it prints the table of docs/performance.md and writes nothing.
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { signIn, startDemoService } from './demo-service.js';
import { launchBrowser } from './pixseal.js';
import { table, writeSection } from './report.js';
import { median } from './suite.js';

const LOADS = 20;

const { values: options } = parseArgs({ options: { dry: { type: 'boolean', default: false } } });

const service = await startDemoService();
const browser = await launchBrowser();
try {
  const signedIn = await signIn(browser, service.origin);
  const pages = [
    {
      name: '`/playground`, by the printed link',
      url: service.link,
      content: 'img[alt="The sealed image"]',
    },
    {
      name: '`/console`, to sign in',
      url: `${service.origin}/console`,
      content: 'input[type="password"]',
    },
    {
      name: '`/console`, signed in: the issuers',
      url: `${service.origin}/console`,
      storageState: signedIn,
      content: 'main a[href^="#/issuers/"]',
    },
  ];
  const rows = [];
  for (const page of pages) rows.push(await measure(page));
  const run = `${new Date().toISOString().slice(0, 10)}; ${cpus()[0]?.model.trim()}, ${cpus().length} cores; Node ${process.version}; Chromium ${browser.version()}. ${LOADS} loads of each.`;
  const heads = ['page', 'first paint: median / max ms', 'load', 'content', 'kB sent, at most'];
  const text = `${run}\n\n${table(heads, rows)}`;
  process.stdout.write(`${text}\n`);
  if (!options.dry) writeSection('pages', text);
} finally {
  await browser.close();
  await service.stop();
}

/** A row of the table. The first load warms the service up and does not count. */
async function measure({ name, url, storageState, content }) {
  const loads = [];
  for (let load = 0; load <= LOADS; load += 1) loads.push(await loadOnce({ url, storageState, content }));
  const times = (member) => {
    const values = loads.slice(1).map((load) => load[member]);
    return `${median(values).toFixed(0)} / ${Math.max(...values).toFixed(0)}`;
  };
  const kilobytes = Math.max(...loads.map(({ bytes }) => bytes)) / 1_000;
  return [name, times('paint'), times('load'), times('content'), kilobytes.toFixed(0)];
}

async function loadOnce({ url, storageState, content }) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, storageState });
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
  await session.send('Network.enable');
  await page.goto(url);
  const shown = await page.evaluate(waitForContent, content);
  await page.waitForLoadState('networkidle');
  const [paint, load] = await page.evaluate(() => [
    performance.getEntriesByName('first-contentful-paint')[0].startTime,
    performance.getEntriesByType('navigation')[0].loadEventEnd,
  ]);
  await context.close();
  return { content: shown, paint, load, bytes };
}

/** Runs in the page, for a driver asks too seldom: the time of the first frame that has an element, its picture loaded. */
function waitForContent(selector) {
  return new Promise((resolve) => {
    const look = (time) => {
      const found = document.querySelector(selector);
      if (found !== null && found.complete !== false) resolve(time);
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
}
