// `npm run screenshots`: the pages for people as docs/screenshots has them, wide and on a phone, light and dark.
import { mkdir } from 'node:fs/promises';
import sharp from 'sharp';
import { signIn, startDemoService } from './demo-service.js';
import { launchBrowser } from './pixseal.js';

const TARGET = process.argv[2] ?? 'docs/screenshots';
const WIDE = { width: 1280, height: 1060 };
/** From an issuer's keys to the end of its page. */
const WIDE_ISSUER = { width: 1280, height: 930 };
const PHONE = { width: 390, height: 844 };
/** Two mistakes, which the console marks. */
const POLICY = `{
  "max_width": 0,
  "max_token_age": 3600,
  "mandatory_steps": [{ "overlay": "3d616b4e-a597-4b23-aa3d-d7de678f0ba6", "flag": "tiled" }]
}`;

const service = await startDemoService();
const browser = await launchBrowser();
try {
  await mkdir(TARGET, { recursive: true });
  const pages = [
    { name: 'playground', url: service.link, show: showPlayground, wide: WIDE },
    {
      name: 'console',
      url: `${service.origin}/console`,
      show: showConsole,
      wide: WIDE_ISSUER,
      // The chart above them has too few requests to show.
      topOf: '[aria-labelledby=keys-title]',
      storageState: await signIn(browser, service.origin),
    },
  ];
  for (const page of pages) {
    for (const colorScheme of ['light', 'dark']) {
      const { wide, topOf, ...start } = page;
      await shoot({ ...start, topOf, colorScheme, viewport: wide, file: `${page.name}-${colorScheme}` });
      await shoot({ ...start, colorScheme, viewport: PHONE, file: `${page.name}-phone-${colorScheme}` });
    }
  }
} finally {
  await browser.close();
  await service.stop();
}

/** @param topOf The element at the top; without it, the start of the page. */
async function shoot({ url, show, file, topOf, ...look }) {
  const context = await browser.newContext({ ...look, reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(url);
  await show(page);
  await page.mouse.move(0, 0);
  await page.evaluate(() => window.scrollTo(0, 0));
  if (topOf !== undefined) await page.locator(topOf).evaluate((element) => element.scrollIntoView(true));
  const { width, height, size } = await sharp(await page.screenshot())
    .png({ palette: true, effort: 10 })
    .toFile(`${TARGET}/${file}.png`);
  process.stdout.write(`${TARGET}/${file}.png: ${width} × ${height}, ${size} bytes\n`);
  await context.close();
}

/** The demo's picture under its watermark and a name. */
async function showPlayground(page) {
  await page.getByRole('button', { name: 'Add text layer' }).click();
  await page.getByRole('listitem', { name: 'Step 3:' }).getByLabel('font_size', { exact: true }).fill('36');
  await page.getByText('Arial_36_bold').first().waitFor();
  await page.locator('.stage[data-busy=false] img').waitFor();
}

/** The demo's issuer, with a policy that cannot be saved. */
async function showConsole(page) {
  await page.getByRole('link', { name: 'Demo' }).click();
  await page.getByLabel('Policy as JSON').fill(POLICY);
  await page.getByRole('button', { name: 'Save policy' }).click();
  await page.getByText('Line 4').waitFor();
}
