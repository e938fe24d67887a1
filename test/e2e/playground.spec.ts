import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeJwt } from 'jose';
import type { Browser, BrowserContextOptions, Locator, Page, Request } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { ENVIRONMENT } from '../../src/platform/config/config.module.js';
import type { Environment } from '../../src/platform/config/environment.js';
import { createDemoRows, welcome } from '../../src/operations/demo/demo.js';
import { EFFECTS } from '../../src/transformations/effects.js';
import { FLAGS } from '../../src/transformations/flags.js';
import type { Range, Shape } from '../../src/transformations/grammar.js';
import { TEXT_LAYER_MEMBERS } from '../../src/transformations/text-layer.js';
import '../support/built.js';
import { type Parameter, PARAMETERS } from '../../src/transformations/vocabulary.js';
import { expectAccessible, LOOKS } from '../support/accessibility.js';
import { hasBrowser, launchBrowser } from '../support/browser.js';
import { measure, uploadSeed } from '../support/pictures.js';
import { hasProgram } from '../support/programs.js';
import { post, SEED, signWith } from '../support/seed.js';
import { ADMIN_KEY, expectServedByDefault, type Service, startService } from '../support/service.js';

const run = promisify(execFile);
const embedded = inject('database').kind === 'embedded';
const PATHS = ['/playground', '/playground/vocabulary.json'];

describe('the playground', () => {
  it('is served in embedded mode and not in production, unless a setting changes that', () =>
    expectServedByDefault('PLAYGROUND', PATHS));

  it.each([
    ['on', 'on', 302, '/playground'],
    ['off', 'on', 302, '/console'],
    ['off', 'off', 404, undefined],
  ])('is where the root leads: PLAYGROUND=%s, CONSOLE=%s', async (playground, console, status, location) => {
    const service = await startService({ PLAYGROUND: playground, CONSOLE: console });
    try {
      const root = await service.get('/');
      expect([root.status, root.headers.location]).toStrictEqual([status, location]);
    } finally {
      await service.close();
    }
  });

  it('is a page with a strict policy, whose assets are cached for a year, with no other files', async () => {
    const service = await startService({ PLAYGROUND: 'on', DELIVERY_MODE: 'cloudinary' });
    try {
      const page = await service.get('/playground');
      expect(page.headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy':
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: https:; " +
          "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
      });
      const assets = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path);
      expect(assets.length).toBeGreaterThan(2);
      for (const path of assets) {
        expect(path).toMatch(/^\/web\/assets\/[\w-]+-[\w-]{8}\.(?:js|css|svg)$/);
        const asset = await service.get(path);
        expect(asset.status).toBe(200);
        expect(asset.headers).toMatchObject({
          'cache-control': 'public, max-age=31536000, immutable',
          'x-content-type-options': 'nosniff',
        });
      }
      for (const path of [
        '/web/assets/',
        '/web/assets/../playground.html',
        '/web/playground.html',
        '/web/',
      ]) {
        expect((await service.get(path)).status).toBe(404);
      }
    } finally {
      await service.close();
    }
  });
});

describe('the link to the playground that is printed at the start', () => {
  let service: Service;

  beforeAll(async () => {
    service = await startService();
    await createDemoRows(service.app, 'blank');
  });
  afterAll(() => service.close());

  async function brought(host: string, playground = true): Promise<unknown> {
    const environment = { ...service.app.get<Environment>(ENVIRONMENT), dataDir: '/data', host, playground };
    const printed = (await welcome(service.app, environment))(service.url);
    const [, fragment] = /\/playground#(\S+)/.exec(printed) ?? [];
    return fragment === undefined ? null : Object.fromEntries(new URLSearchParams(fragment));
  }
  const ids = { issuer: SEED.issuerId, image: SEED.imageId, overlay: SEED.overlayId };

  it('follows the demo image, large and then small; the console and the API follow it', async () => {
    const environment = { ...service.app.get<Environment>(ENVIRONMENT), host: '127.0.0.1', playground: true };
    const printed = (await welcome(service.app, { ...environment, console: true, docs: true }))(service.url);
    const links = printed
      .trimEnd()
      .split('\n')
      .filter((line) => line.startsWith('  '));
    expect(links.map((link) => new URL(link.trim()).pathname)).toStrictEqual([
      `/images/${SEED.imageId}`,
      `/images/${SEED.imageId}`,
      ...['/playground', '/console', '/docs'],
    ]);
    expect(printed.trimEnd().endsWith(links.at(-1) ?? '?')).toBe(true);
    const [large, small] = links.map((link) => new URL(link.trim()).searchParams.get('token') ?? '');
    expect(decodeJwt(large ?? '')).toMatchObject({ sharinpix: { download: false } });
    expect(decodeJwt(small ?? '')).toMatchObject({ sharinpix: {} });
  });

  it('contains the demo’s secret only if this machine alone can read it', async () => {
    const secret = expect.stringMatching(/^[\w-]{43}$/) as string;
    for (const host of ['127.0.0.1', '::1', 'localhost']) {
      expect(await brought(host)).toStrictEqual({ ...ids, secret });
    }
    for (const host of ['0.0.0.0', '::', '192.168.0.7']) expect(await brought(host)).toStrictEqual(ids);
  });

  it('is absent without a playground', async () => {
    expect(await brought('127.0.0.1', false)).toBeNull();
  });

  it('is without the demo in mode cloudinary, whose start reports that its rows are still there', async () => {
    const environment = service.app.get<Environment>(ENVIRONMENT);
    const printed = (await welcome(service.app, { ...environment, deliveryMode: 'cloudinary' }))(service.url);
    expect(printed).toContain('The issuer Demo is of a start without CLOUDINARY_URL');
    expect(printed).not.toContain('/images/');
  });

  it('never contains a secret that an operator chose', async () => {
    const secret = 'a-secret-that-an-operator-chose-by-hand';
    await post(service, `/issuers/${SEED.issuerId}/keys`, { secret });
    expect(await brought('127.0.0.1')).toStrictEqual(ids);
  });
});

/** Interpreters on this machine, to run the page's snippets. */
const INTERPRETERS = (
  [
    ['Node', [process.execPath], 'mint.mjs'],
    ['Python', ['python3'], 'mint.py'],
    ['Ruby', ['ruby'], 'mint.rb'],
    ['curl', ['bash', '-eu'], 'get.sh'],
  ] as const
).filter(([name, [program]]) => hasProgram(program, `the playground’s snippet for ${name}`));

/** The value of an unset variable for an image's id, by the language of a snippet. */
const EMPTY_IDS = {
  Node: ['undefined', 'null', "''"],
  Python: ['None', '""'],
  Ruby: ['nil', '""'],
  curl: ['', '""'],
} as const;

/** A timeout for a page on a busy machine. */
const eventually = <T>(look: () => Promise<T>) => expect.poll(look, { timeout: 30_000 });

/** The properties of a control that a person uses. */
interface Control {
  readonly label: string;
  readonly tag: string;
  /** Of a drop-down list, or of the suggestions beside a field. */
  readonly options: readonly string[];
  /** Every number in the placeholder of a field. */
  readonly ranges: readonly number[];
  readonly slider: Range | null;
  readonly help: string;
}

/** Reads the controls of the fields that a selector finds. */
const readControls = (page: Page, selector: string): Promise<readonly Control[]> =>
  page.evaluate(`[...document.querySelectorAll(${JSON.stringify(selector)})].map((field) => {
    const label = field.querySelector('label');
    const control = document.getElementById(label.htmlFor);
    const slider = field.querySelector('input[type=range]');
    return {
      label: label.textContent,
      tag: control.localName,
      options: [...(control.options ?? control.list?.options ?? [])].map(({ value }) => value),
      ranges: [...(control.placeholder ?? '').replaceAll('−', '-').matchAll(/-?\\d[\\d.]*/g)].map(Number),
      slider: slider && [Number(slider.min), Number(slider.max)],
      help: document.getElementById(control.getAttribute('aria-describedby')).textContent,
    };
  })`);

/** A shape's alternatives; a list is represented by its items. */
const leavesOf = (shape: Shape): readonly Shape[] =>
  shape.kind === 'any_of' ? shape.of.flatMap(leavesOf) : shape.kind === 'list' ? leavesOf(shape.of) : [shape];

/** The control that the table requires: with every word and range, and a slider where possible. */
function controlFor(label: string, shape: Shape, help: string): Control {
  const leaves = leavesOf(shape);
  const options = leaves.flatMap((leaf) =>
    leaf.kind === 'pattern' ? leaf.examples : 'words' in leaf ? leaf.words : [],
  );
  if (shape.kind === 'words' && options.length <= 32) {
    return { label, tag: 'select', options: ['', ...options], ranges: [], slider: null, help };
  }
  const numbers = leaves.filter((leaf) => leaf.kind === 'number');
  const integer = numbers.find((leaf) => leaf.integer !== undefined)?.integer;
  const decimal = numbers.find((leaf) => leaf.decimal !== undefined)?.decimal;
  return {
    label,
    tag: 'input',
    options: [...new Set(options)],
    ranges: [...(integer ?? []), ...(decimal ?? [])],
    slider: integer && !decimal && integer[1] - integer[0] <= 720 ? integer : null,
    help,
  };
}

function controlOf(parameter: Parameter): Control {
  const { key: label, help } = parameter;
  const bare = { label, ranges: [], slider: null, help };
  switch (parameter.kind) {
    case 'layer':
    case 'asset':
      return { ...bare, tag: 'input', options: [SEED.overlayId] };
    case 'flags':
      return { ...bare, tag: 'select', options: ['', ...FLAGS.map(({ name }) => name)] };
    default:
      return label === 'effect'
        ? { ...bare, tag: 'select', options: ['', ...EFFECTS.keys()] }
        : controlFor(label, parameter.grammar.shape, help);
  }
}

// Nothing here depends on the kind of database.
describe.runIf(hasBrowser() && embedded)('the playground in a browser', () => {
  let service: Service;
  let browser: Browser;
  let secret: string;
  /** Errors that browsers reported, among them violations of the page's policy. */
  const complaints: string[] = [];

  beforeAll(async () => {
    service = await startService({ DELIVERY_MODE: 'local' });
    secret = await uploadSeed(service);
    browser = await launchBrowser();
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    expect(complaints.splice(0)).toStrictEqual([]);
  });
  afterAll(async () => {
    await browser.close();
    await service.close();
  });

  const linkOf = (issuerSecret: string): string =>
    `${service.url}/playground#${new URLSearchParams({
      issuer: SEED.issuerId,
      image: SEED.imageId,
      overlay: SEED.overlayId,
      secret: issuerSecret,
    }).toString()}`;

  interface Opened {
    readonly page: Page;
    readonly requests: Request[];
  }

  async function open(options: BrowserContextOptions = {}, url = linkOf(secret)): Promise<Opened> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    const requests: Request[] = [];
    page.on('request', (request) => requests.push(request));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // A refusal by the service that a test causes is an error to the browser.
      const refused = /^Failed to load resource: the server responded with a status of 4\d\d/.test(
        message.text(),
      );
      if (message.type() === 'error' && !refused) complaints.push(message.text());
    });
    await page.goto(url);
    return { page, requests };
  }

  const picture = (page: Page): Locator => page.getByAltText('The sealed image');
  const chain = (page: Page): Promise<string[]> =>
    page.getByRole('region', { name: 'Chain' }).locator('.code').allTextContents();
  const step = (page: Page, number: number): Locator =>
    page.getByRole('listitem', { name: `Step ${number}:` });
  const add = (page: Page, what: string): Promise<void> => page.getByRole('button', { name: what }).click();

  async function addKey(page: Page, number: number, key: string): Promise<void> {
    const isKnown = PARAMETERS.some((parameter) => parameter.key === key);
    const list = page.getByLabel(`Parameter to add to step ${number}`);
    await list.selectOption(isKnown ? key : 'other key…');
    if (!isKnown) await page.getByLabel(`Key to add to step ${number}`).fill(key);
    await page.getByRole('button', { name: `Add to step ${number}` }).click();
  }

  /** The name of the element that has the focus. */
  const focused = (page: Page): Promise<unknown> =>
    page.evaluate(
      `(({ ariaLabel, labels, textContent }) => ariaLabel ?? labels?.[0]?.textContent ?? textContent)(document.activeElement)`,
    );
  const claimsOf = async (page: Page): Promise<Readonly<Record<string, unknown>>> =>
    JSON.parse(
      (await page.getByRole('region', { name: 'The token’s claims' }).textContent()) ?? '',
    ) as Readonly<Record<string, unknown>>;
  const sealedLink = async (page: Page): Promise<URL> => {
    const href = await page.getByRole('link', { name: 'Open the sealed link' }).getAttribute('href');
    return new URL(href ?? '', service.url);
  };

  it('shows the image of the composed steps, and does not expose the secret', async () => {
    const { page, requests } = await open();
    await step(page, 1).getByLabel('width', { exact: true }).fill('321');
    await page.getByText('321 × 214').waitFor();
    expect(await chain(page)).toStrictEqual([
      'c_fit,h_1920,w_1920',
      'dpr_auto,q_auto,f_auto',
      'c_limit,w_321',
      `fl_tiled,l_private:${SEED.overlayPublicId},w_160`,
    ]);
    expect(await picture(page).evaluate((image: { naturalWidth: number }) => image.naturalWidth)).toBe(321);
    expect(await claimsOf(page)).toMatchObject({
      iss: SEED.issuerId,
      image_id: SEED.imageId,
      transformations: [
        { width: 321, crop: 'limit' },
        { overlay: SEED.overlayId, width: 160, flags: 'tiled' },
      ],
      sharinpix: { download: false },
    });
    const shown = await page.getByRole('region', { name: 'Signed URL' }).locator('.block').textContent();
    const redirect = await fetch(await sealedLink(page), { redirect: 'manual' });
    expect(redirect.status).toBe(302);
    // In mode `local` the service is Cloudinary.
    expect(shown?.replace('https://res.cloudinary.com', service.url)).toBe(redirect.headers.get('location'));

    const sent = await Promise.all(
      requests.map(async (request) =>
        JSON.stringify([request.url(), await request.allHeaders(), request.postData()]),
      ),
    );
    expect(sent.filter((request) => request.includes('/explain?token=')).length).toBeGreaterThan(0);
    const kept = await page.evaluate(
      'JSON.stringify([location.href, history.state, history.length, { ...localStorage }, { ...sessionStorage }, document.cookie])',
    );
    const { cookies, origins } = await page.context().storageState({ indexedDB: true });
    for (const text of [...sent, String(kept), JSON.stringify([cookies, origins])]) {
      expect(text).not.toContain(secret);
    }
    expect(String(kept)).toContain(`${service.url}/playground"`);
    await page.reload();
    await page.getByText('Enter an issuer, its secret and an image').waitFor();
  });

  it('asks for missing values, parses a dsn, and lists rows with an admin key', async () => {
    const { page, requests } = await open({}, `${service.url}/playground`);
    await page.getByText('Enter an issuer, its secret and an image').waitFor();
    await page
      .getByLabel('Issuer', { exact: true })
      .fill(`http://${SEED.issuerId}:${secret}@127.0.0.1/?kid=1`);
    await page.getByText('Enter an image').waitFor();
    await page.getByText('Pick from lists, with an admin key').click();
    await page.getByLabel('Admin key').fill(`${ADMIN_KEY}-not`);
    await page.getByRole('button', { name: 'List' }).click();
    await page.getByRole('alert').waitFor();
    await page.getByLabel('Admin key').fill(ADMIN_KEY);
    await page.getByRole('button', { name: 'List' }).click();
    // The issuer that the dsn names is selected already.
    const images = page.getByRole('combobox', { name: 'Images', exact: true });
    await images.selectOption(SEED.publicId);
    await picture(page).waitFor();

    const { id: many } = await post<{ id: string }>(service, '/issuers', { name: 'Many' });
    for (let number = 1; number <= 101; number += 1) {
      await post(service, '/images', { issuer_id: many, public_id: `of-many-${number}`, version: 1 });
    }
    await page.getByRole('button', { name: 'List' }).click();
    await page.getByLabel('Issuers').selectOption('Many');
    const names = async (): Promise<readonly string[]> =>
      (await images.locator('option').allTextContents()).slice(1);
    await eventually(async () => (await names()).length).toBe(100);
    await page.getByText('The first 100.').waitFor();
    await page.getByRole('button', { name: 'More Images' }).click();
    await eventually(async () => new Set(await names()).size).toBe(101);
    expect(await focused(page)).toBe('Images');
    expect(await page.getByRole('button', { name: 'More Images' }).count()).toBe(0);
    await page.getByLabel('Images: a name (exact)').fill('of-many-77');
    await page.getByRole('button', { name: 'Find in Images' }).click();
    await eventually(names).toStrictEqual(['of-many-77']);
    const carriers = requests.filter((request) => request.headers()['authorization'] !== undefined);
    expect(carriers.length).toBeGreaterThan(2);
    for (const request of carriers) expect(request.url()).toContain(`${service.url}/admin/`);
    expect(requests.some((request) => request.url().includes(ADMIN_KEY))).toBe(false);
  });

  it('moves a step by keyboard, keeps the focus, and announces it', async () => {
    const { page } = await open();
    await picture(page).waitFor();
    const steps = (await chain(page)).slice(2);
    const handle = page.getByRole('button', { name: 'Move step 2: drag, or use the arrow keys' });
    await handle.focus();
    await page.keyboard.press('ArrowUp');
    await eventually(async () => (await chain(page)).slice(2)).toStrictEqual(steps.toReversed());
    expect(await focused(page)).toBe('Move step 1: drag, or use the arrow keys');
    await page.getByRole('button', { name: 'Move step 1 down' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('Step 1 is now step 2 of 2.').waitFor({ state: 'attached' });
    await eventually(async () => (await chain(page)).slice(2)).toStrictEqual(steps);
    expect(await focused(page)).toBe('Move step 2 down');
  });

  it('moves a step that is dragged with a mouse', async () => {
    const { page } = await open();
    await picture(page).waitFor();
    const steps = (await chain(page)).slice(2);
    const [from, onto] = await Promise.all(
      [step(page, 1).locator('.handle'), step(page, 2)].map((each) => each.boundingBox()),
    );
    if (!from || !onto) throw new Error('the steps are not on the screen');
    await page.mouse.move(from.x + 8, from.y + 8);
    await page.mouse.down();
    await page.mouse.move(from.x + 8, onto.y + onto.height / 2 - 20, { steps: 4 });
    expect(await step(page, 2).getAttribute('data-drop')).toBeNull();
    await page.mouse.move(from.x + 8, onto.y + onto.height / 2 + 20, { steps: 4 });
    expect(await step(page, 2).getAttribute('data-drop')).toBe('after');
    await page.mouse.up();
    await eventually(async () => (await chain(page)).slice(2)).toStrictEqual(steps.toReversed());
  });

  it('moves a step that is dragged with a finger, on a phone', async () => {
    const { page } = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
    await picture(page).waitFor();
    const steps = (await chain(page)).slice(2);
    const handle = step(page, 2).locator('.handle');
    await handle.scrollIntoViewIfNeeded();
    const [from, onto] = await Promise.all([handle, step(page, 1)].map((each) => each.boundingBox()));
    if (!from || !onto) throw new Error('the steps are not on the screen');
    const cdp = await page.context().newCDPSession(page);
    const touch = async (type: 'touchStart' | 'touchMove' | 'touchEnd', y?: number): Promise<void> => {
      const touchPoints = y === undefined ? [] : [{ x: from.x + 8, y }];
      await cdp.send('Input.dispatchTouchEvent', { type, touchPoints });
    };
    await touch('touchStart', from.y + 8);
    for (let part = 1; part <= 4; part += 1) {
      await touch('touchMove', from.y + 8 + ((onto.y + 20 - from.y) * part) / 4);
    }
    await touch('touchEnd');
    await eventually(async () => (await chain(page)).slice(2)).toStrictEqual(steps.toReversed());
  });

  it('adds image and text layers', async () => {
    const { page } = await open();
    await picture(page).waitFor();
    const before = await picture(page).getAttribute('src');
    await add(page, 'Add text layer');
    await step(page, 3).getByLabel('overlay', { exact: true }).fill('Jane, 5 May');
    await step(page, 3).getByLabel('font_size', { exact: true }).fill('30');
    await eventually(async () => (await chain(page)).at(-1)).toBe(
      'co_white,g_south,l_text:Arial_30_bold:Jane%252C%205%20May',
    );
    await add(page, 'Add image layer');
    await step(page, 4).getByLabel('overlay', { exact: true }).fill(SEED.overlayId);
    await eventually(async () => (await chain(page)).at(-1)).toBe(
      `g_south_east,l_private:${SEED.overlayPublicId},w_200`,
    );
    await eventually(() => picture(page).getAttribute('src')).not.toBe(before);
  });

  it('offers an effect with its own argument, and flags grouped by where they apply', async () => {
    const { page } = await open();
    await addKey(page, 1, 'effect');
    await step(page, 1).getByLabel('effect', { exact: true }).selectOption('pixelate');
    const slider = step(page, 1).getByLabel('Argument of pixelate, slider');
    expect([await slider.getAttribute('min'), await slider.getAttribute('max')]).toStrictEqual(['1', '200']);
    await slider.fill('40');
    await addKey(page, 1, 'flags');
    await step(page, 1).getByLabel('flags', { exact: true }).selectOption('cutter');
    await step(page, 1).getByRole('button', { name: 'Add the flag' }).click();
    await step(page, 1).getByText('Clips the image to the shape of the layer').last().waitFor();
    await step(page, 1).getByText('Ignored: cutter acts only on a layer, and this step has none').waitFor();
    expect((await chain(page))[2]).toBe('c_limit,e_pixelate:40,w_640');
    await step(page, 1).getByRole('button', { name: 'Remove flag cutter' }).click();
    await page.getByText('None: every key is in the chain.').waitFor();
  });

  it('adds nothing by arrow keys, and keeps the focus', async () => {
    const { page } = await open();
    const press = async (...keys: readonly string[]): Promise<void> => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const labels = (): Promise<string[]> => step(page, 1).locator('.parameter-head label').allTextContents();
    const parameters = page.getByLabel('Parameter to add to step 1');
    await parameters.focus();
    await press('ArrowDown', 'ArrowDown');
    expect(await parameters.inputValue()).toBe('aspect_ratio');
    expect(await labels()).toStrictEqual(['width', 'crop']);
    await press('Tab', 'Enter');
    await eventually(labels).toStrictEqual(['width', 'crop', 'aspect_ratio']);
    expect(await focused(page)).toBe('aspect_ratio');

    const flags = step(page, 2).getByLabel('flags', { exact: true });
    const chips = (): Promise<string[]> => step(page, 2).locator('.chip').allInnerTexts();
    await flags.focus();
    await press('ArrowDown', 'ArrowDown');
    expect(await flags.inputValue()).toBe('no_overflow');
    expect(await chips()).toStrictEqual(['tiled\n×']);
    await press('Tab', 'Enter');
    await eventually(chips).toStrictEqual(['tiled\n×', 'no_overflow\n×']);
    expect(await focused(page)).toBe('flags');
    await press('Shift+Tab', 'Enter');
    await eventually(chips).toStrictEqual(['tiled\n×']);
    expect(await focused(page)).toBe('flags');

    const remove = async (name: string): Promise<unknown> => {
      await page.getByRole('button', { name: `Remove ${name}` }).focus();
      await press('Enter');
      return focused(page);
    };
    expect(await remove('width from step 1')).toBe('crop');
    expect(await remove('aspect_ratio from step 1')).toBe('crop');
    expect(await remove('crop from step 1')).toBe('Parameter to add to step 1');
    expect(await remove('step 1')).toBe('Move step 1: drag, or use the arrow keys');
    expect(
      await page
        .getByRole('list', { name: 'Steps' })
        .getByRole('listitem')
        .first()
        .getAttribute('aria-label'),
    ).toBe('Step 1: Image layer');
    expect(await remove('step 1')).toBe('Add step');
  });

  it('has a control for every parameter of the table, with its words, ranges and help', async () => {
    const { page } = await open();
    const everything = Object.fromEntries(
      PARAMETERS.map(({ key, kind }) => [key, kind === 'flags' ? ['tiled'] : '']),
    );
    const looks = Object.fromEntries([...TEXT_LAYER_MEMBERS.keys()].map((key) => [key, '']));
    const token = [
      '{}',
      JSON.stringify({ transformations: [everything, { overlay: { text: 'Jane', ...looks } }] }),
      '',
    ]
      .map((part) => Buffer.from(part).toString('base64url'))
      .join('.');
    await page.getByRole('tab', { name: 'Read a token' }).click();
    await page.getByLabel('Token, or a URL with one').fill(token);
    await page.getByRole('button', { name: 'Edit its steps' }).click();
    await step(page, 1).getByRole('button', { name: 'Remove flag tiled' }).click();

    const controls = await readControls(page, '.step:nth-child(1) .parameter');
    expect(controls).toStrictEqual(PARAMETERS.map(controlOf));
    const members = await readControls(page, '.step:nth-child(2) .members .field');
    const byLabel = (one: Control, other: Control): number => (one.label < other.label ? -1 : 1);
    expect(members.toSorted(byLabel)).toStrictEqual(
      [...TEXT_LAYER_MEMBERS]
        .map(([key, { shape, allowed }]) => controlFor(key, shape, allowed.replaceAll('`', '')))
        .sort(byLabel),
    );
    const flags = step(page, 1).getByLabel('flags', { exact: true }).locator('optgroup option');
    expect(await flags.allTextContents()).toStrictEqual(FLAGS.map(({ name, help }) => `${name}: ${help}`));
    const left = page.getByLabel('Parameter to add to step 2').locator('option');
    expect((await left.allTextContents()).slice(1, -1)).toStrictEqual(
      PARAMETERS.filter(({ key }) => key !== 'overlay').map(({ key, help }) => `${key}: ${help}`),
    );
  });

  it('signs with each algorithm, for each lifetime, and with the selected claims', async () => {
    const { page } = await open();
    await picture(page).waitFor();
    for (const algorithm of ['HS384', 'HS512']) {
      const { secret: another } = await post<{ secret: string }>(service, `/issuers/${SEED.issuerId}/keys`, {
        algorithm,
      });
      await page.getByLabel('Algorithm').selectOption(algorithm);
      await page.getByLabel('Secret').fill(another);
      await eventually(async () => {
        const token = (await sealedLink(page)).searchParams.get('token') ?? '';
        const received = await fetch(await sealedLink(page), { redirect: 'manual' });
        const header: unknown = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
        return [header, received.status];
      }).toStrictEqual([{ typ: 'JWT', alg: algorithm }, 302]);
    }

    for (const [name, seconds] of [
      ['5 minutes', 300],
      ['1 hour', 3_600],
      ['1 day', 86_400],
      ['30 days', 2_592_000],
    ] as const) {
      const earliest = Math.floor(Date.now() / 1000) + seconds;
      await page.getByLabel('Expires after (exp)').selectOption(name);
      await eventually(async () => {
        const { exp } = await claimsOf(page);
        return Number(exp) >= earliest && Number(exp) <= Date.now() / 1000 + seconds;
      }).toBe(true);
    }
    const note = page.getByRole('region', { name: 'The token', exact: true }).locator('.note-warn');
    await eventually(() => note.allTextContents()).toStrictEqual([]);
    await page.getByLabel('Expires after (exp)').selectOption('never');
    await page.getByLabel('For this image only (image_id)').uncheck();
    await eventually(() => note.allTextContents()).toStrictEqual([
      'This token opens every image of the issuer: it has no image_id.',
      'This token never expires: it has no exp.',
    ]);
    await page.getByRole('tab', { name: 'Node' }).click();
    await page.getByText('// This token opens every image of the issuer and never expires.').waitFor();
    await page.getByLabel('Displayed, not downloaded').uncheck();
    await page.getByLabel('The original, without steps').check();
    await eventually(async () => {
      const { transformations, ...claims } = await claimsOf(page);
      return [claims, Array.isArray(transformations)];
    }).toStrictEqual([{ iss: SEED.issuerId, sharinpix: { original: true } }, true]);
  });

  it('explains why a key is ignored, at the key and in the list', async () => {
    const { page } = await open();
    await addKey(page, 2, 'miaim');
    await step(page, 2).getByLabel('miaim', { exact: true }).fill('hey hey !');
    await step(page, 2).getByText('Ignored: unknown parameter').waitFor();
    const row = page.getByRole('region', { name: 'Ignored', exact: true }).getByRole('row').nth(1);
    expect(await row.getByRole('cell').allTextContents()).toStrictEqual(['2', 'miaim', 'unknown parameter']);
  });

  it('lists claims that have no effect', async () => {
    const { page } = await open();
    await page.getByLabel('The original, without steps').check();
    const row = page.getByRole('region', { name: 'Ignored', exact: true }).getByRole('row').nth(1);
    await row.getByText('transformations').waitFor();
    expect(await row.getByRole('cell').allTextContents()).toStrictEqual([
      'token',
      'transformations',
      'sharinpix.original omits all steps',
    ]);
  });

  it('shows a refusal at its step and key, keeps the image, and recovers', async () => {
    const { page } = await open();
    await picture(page).waitFor();
    const width = step(page, 2).getByLabel('width', { exact: true });
    await width.fill('0');
    await step(page, 2).getByText('Refused. Allowed: a whole number from 1 to 65500').waitFor();
    expect(await width.getAttribute('aria-invalid')).toBe('true');
    expect(await step(page, 1).locator('[aria-invalid=true]').count()).toBe(0);
    expect(await page.locator('[data-code]').getAttribute('data-code')).toBe('invalid_transformation');
    await page.getByRole('status').getByText('Refused at step 2, width.').waitFor({ state: 'attached' });
    await picture(page).waitFor();
    // Neither belongs to the refused token.
    const last = page.getByText('The last image that was not refused');
    await last.waitFor();
    const link = page.getByRole('link', { name: 'Open the sealed link' });
    expect([await link.count(), await page.getByRole('region', { name: 'Use it' }).count()]).toEqual([0, 0]);
    await width.fill('90');
    await page.locator('[data-code]').waitFor({ state: 'detached' });
    expect(await width.getAttribute('aria-invalid')).toBe('false');
    await link.waitFor();
    await page.getByRole('region', { name: 'Use it' }).waitFor();
    await last.waitFor({ state: 'detached' });
  });

  it('reports that a secret is not the issuer’s', async () => {
    const { page } = await open({}, linkOf('not the secret of this issuer at all'));
    await page.locator('[data-code=invalid_token]').waitFor();
  });

  it('drops responses that arrive too late', async () => {
    const { page } = await open();
    await picture(page).waitFor();
    let release: (() => void) | undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    await page.route('**/explain?*', async (route) => {
      const token = new URL(route.request().url()).searchParams.get('token') ?? '';
      const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString();
      const received = await route.fetch();
      if (payload.includes('"width":111')) await released;
      await route.fulfill({ response: received }).catch(() => undefined);
    });
    const width = step(page, 1).getByLabel('width', { exact: true });
    const explained = page.waitForRequest((request) => request.url().includes('/explain?'));
    await width.fill('111');
    await explained;
    await width.fill('222');
    await eventually(async () => (await chain(page))[2]).toBe('c_limit,w_222');
    release?.();
    await page.getByText('222 × 148').waitFor();
    expect((await chain(page))[2]).toBe('c_limit,w_222');
  });

  describe('reading a token', () => {
    const now = (): number => Math.floor(Date.now() / 1000);
    const seal = (claims: Readonly<Record<string, unknown>> = {}): string =>
      signWith(secret, { iss: SEED.issuerId, transformations: [{ width: 50, miaim: 1 }], ...claims });

    async function paste(text: string): Promise<Page> {
      const { page } = await open();
      await page.getByRole('tab', { name: 'Read a token' }).click();
      await page.getByLabel('Token, or a URL with one').fill(text);
      return page;
    }

    it('explains a valid one, and copies its steps', async () => {
      const page = await paste(`${service.url}/images/${SEED.imageId}?token=${seal({ exp: now() + 7_200 })}`);
      await page.getByText('The token is valid: the service accepts it.').waitFor();
      await page.getByText('It was sealed with the secret entered under Compose.').waitFor();
      await page.getByText(/in (?:2 hours|120 minutes)/).waitFor();
      expect((await chain(page)).at(-1)).toBe('w_50');
      await page.getByRole('cell', { name: 'unknown parameter' }).waitFor();
      await page.getByRole('button', { name: 'Edit its steps' }).click();
      await page.getByText('50 × 33').waitFor();
      expect(await step(page, 1).getByLabel('miaim', { exact: true }).inputValue()).toBe('1');
    });

    it('reports that one has expired', async () => {
      const page = await paste(seal({ image_id: SEED.imageId, exp: now() - 600 }));
      await page.locator('[data-code=invalid_token]').getByText('expired').waitFor();
      await page.getByText('10 minutes ago').waitFor();
      await page.getByText('It was sealed with the secret').waitFor();
    });

    it('reports that one was forged', async () => {
      const [header = '', , mac = ''] = seal().split('.');
      const forged = Buffer.from(JSON.stringify({ iss: SEED.issuerId, transformations: [] })).toString(
        'base64url',
      );
      const page = await paste([header, forged, mac].join('.'));
      await page.locator('[data-code=invalid_token]').waitFor();
      await page.getByText('It was not sealed with the secret').waitFor();
    });

    it.each([
      ['not.a-token', 'A token has three parts, separated by dots; this one has 2.'],
      ['e30.bm90IGpzb24.x', 'Its payload is not JSON in base64url'],
      ['e30.W10.x', 'Its payload is JSON, but not an object.'],
    ])('reports why %s cannot be read', async (pasted, reason) => {
      const page = await paste(pasted);
      await page.getByText(reason).waitFor();
    });
  });

  describe('the snippets', () => {
    const folder = mkdtempSync(join(tmpdir(), 'pixseal-snippets-'));
    const snippets = new Map<string, string>();

    beforeAll(async () => {
      const { page } = await open({ permissions: ['clipboard-read', 'clipboard-write'] });
      await add(page, 'Add text layer');
      // Characters with a meaning in each language.
      await step(page, 3).getByLabel('overlay', { exact: true }).fill(`It's "#{1}" \\n \`$HOME\` é 💧`);
      await page.getByText('l_text:Arial_48_bold:It').first().waitFor();
      for (const tab of await page.getByRole('tablist', { name: 'Language' }).getByRole('tab').all()) {
        const name = (await tab.textContent()) ?? '';
        await tab.click();
        await page.getByRole('button', { name: `Copy as ${name}` }).click();
        snippets.set(name, String(await page.evaluate('navigator.clipboard.readText()')));
        await page.getByRole('button', { name: `Copied as ${name}` }).waitFor();
      }
      await page.context().close();
    });
    afterAll(() => {
      rmSync(folder, { recursive: true });
    });

    it('exist in five languages, and contain no secret', () => {
      expect([...snippets.keys()]).toStrictEqual(['<img>', 'curl', 'Node', 'Python', 'Ruby']);
      for (const snippet of snippets.values()) expect(snippet).not.toContain(secret);
    });

    it('show the image in an <img>', async () => {
      const [, src = ''] = /^<img src="([^"]+)" alt="">$/.exec(snippets.get('<img>') ?? '') ?? [];
      const received = await fetch(src);
      expect(received.status).toBe(200);
      expect(received.headers.get('content-type')).toMatch(/^image\//);
    });

    it.each(INTERPRETERS)('sign the same token in %s', async (name, [program, ...args], file) => {
      const [, src = ''] = /src="([^"]+)"/.exec(snippets.get('<img>') ?? '') ?? [];
      writeFileSync(join(folder, file), snippets.get(name) ?? '');
      const { stdout } = await run(program, [...args, file], {
        cwd: folder,
        env: { PATH: process.env['PATH'], HOME: folder, LC_ALL: 'C.UTF-8', PIXSEAL_SECRET: secret },
      });
      if (name === 'curl') {
        const seen = Buffer.from(await (await fetch(src)).arrayBuffer());
        expect(await measure(readFileSync(join(folder, 'picture')))).toStrictEqual(await measure(seen));
        return;
      }
      const [signed, shown] = await Promise.all([stdout.trim(), src].map(signedUrl));
      expect(signed).toContain('l_text:Arial_48_bold:It');
      expect(signed).toBe(shown);
    });

    it.each(INTERPRETERS)(
      'sign nothing in %s where the image’s id is missing',
      async (name, command, file) => {
        const [program, ...args] = command;
        for (const missing of EMPTY_IDS[name]) {
          const changed = (snippets.get(name) ?? '').replace(
            /^((?:const )?image(?:_?id)? ?= ?).*?(;?)$/im,
            `$1${missing}$2`,
          );
          expect(changed).not.toBe(snippets.get(name));
          writeFileSync(join(folder, file), changed);
          const env = { PATH: process.env['PATH'], HOME: folder, LC_ALL: 'C.UTF-8', PIXSEAL_SECRET: secret };
          const failure = await run(program, [...args, file], { cwd: folder, env }).catch(
            (error: unknown) => error,
          );
          expect(failure).toMatchObject({
            stdout: '',
            stderr: expect.stringContaining('the image id is missing') as string,
          });
        }
      },
    );

    async function signedUrl(tokenUrl: string): Promise<string> {
      const received = await fetch(tokenUrl.replace('?token=', '/explain?token='));
      return ((await received.json()) as { url: string }).url;
    }
  });

  describe('the size', () => {
    it('of the first page with its image is at most 150 kB', async () => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
      const page = await context.newPage();
      const session = await context.newCDPSession(page);
      let bytes = 0;
      session.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength));
      await session.send('Network.enable');
      await page.goto(linkOf(secret));
      await picture(page).waitFor();
      expect(bytes).toBeGreaterThan(50_000);
      expect(bytes).toBeLessThan(150_000);
    });
  });

  describe('accessibility', () => {
    it.each(LOOKS)('has no serious issue in %s, %d pixels wide', async (colorScheme, width) => {
      // Half-way through a transition a colour is not one of the design's.
      const { page } = await open({ colorScheme, viewport: { width, height: 844 }, reducedMotion: 'reduce' });
      const look = (): Promise<void> => expectAccessible(page, width);
      await add(page, 'Add text layer');
      await addKey(page, 3, 'opacity');
      await addKey(page, 1, 'miaim');
      await step(page, 1).getByLabel('miaim', { exact: true }).fill('1');
      await step(page, 1).getByText('Ignored: unknown parameter').waitFor();
      await picture(page).waitFor();
      await page.getByLabel('Parameter to add to step 1').selectOption('other key…');
      for (const summary of await page.locator('main summary').all()) await summary.click();
      await look();
      await step(page, 2).getByLabel('width', { exact: true }).fill('0');
      await page.locator('[data-code=invalid_transformation]').waitFor();
      await look();
      await page.getByRole('tab', { name: 'Read a token' }).click();
      const token = page.getByLabel('Token, or a URL with one');
      await token.fill(signWith(secret, { iss: SEED.issuerId }));
      await page.getByText('The token is valid: the service accepts it.').waitFor();
      await look();
      await token.fill('not.a-token');
      await page.getByText('A token has three parts').waitFor();
      await look();
    });
  });
});
