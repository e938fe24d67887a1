import { v2 as cloudinary } from 'cloudinary';
import { describe, expect, it } from 'vitest';
import { CloudinaryUrlService } from '../../src/cloudinary/cloudinary-url.service.js';
import { DownloadUrlService } from '../../src/cloudinary/download-url.service.js';
import type { Image } from '../../src/domain/image.js';
import type { Picture } from '../../src/directory/counters/counters.js';
import type { Issuer } from '../../src/directory/issuer.js';
import { type Account, ENVIRONMENT_ACCOUNT_ID } from '../../src/domain/account.js';
import { isVisible, type Overlay } from '../../src/domain/overlay.js';
import { compilePolicy } from '../../src/policy/compile-policy.js';
import type { PolicyDocument } from '../../src/policy/policy.js';
import { ProblemError } from '../../src/domain/problem.error.js';
import { decideRedirect, type RedirectDecision } from '../../src/redirect/decide-redirect.js';
import { type Fact, type Facts, PENDING } from '../../src/redirect/facts.js';
import type { PublicKey } from '../../src/tokens/signing-key.js';
import { TokenService } from '../../src/tokens/token.service.js';
import { isEmpty, type ValidityPeriod } from '../../src/tokens/validity-period.js';
import { TransformationMapper } from '../../src/transformations/transformation.mapper.js';
import { makeAccount } from '../support/account.js';
import {
  IMAGE_ID,
  makeIssuer,
  makeKey,
  mint,
  OTHER_IMAGE_ID,
  OTHER_ISSUER_ID,
  SEED_ISSUER_ID,
} from '../tokens/token-fixtures.js';

const NOW = 1_764_000_000_000;
const SECONDS = NOW / 1000;
const OVERLAY_ID = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';
const PLACEHOLDER_ID = '99999999-1111-4222-8333-444455556666';
const BASE = 'c_fit,h_1920,w_1920/fl_attachment/dpr_auto,q_auto,f_auto';

const services = {
  canProxy: true,
  tokens: new TokenService(),
  mapper: new TransformationMapper(),
  urls: new CloudinaryUrlService(),
  downloads: new DownloadUrlService(),
};

const image = (overrides: Partial<Image> = {}): Image => ({
  id: IMAGE_ID,
  issuerId: SEED_ISSUER_ID,
  publicId: 'photo',
  version: 7,
  format: 'png',
  deliveryType: 'authenticated',
  access: 'token',
  notBefore: null,
  deleted: false,
  rejected: false,
  ...overrides,
});

const overlay = (overrides: Partial<Overlay> = {}): Overlay => ({
  id: OVERLAY_ID,
  issuerId: SEED_ISSUER_ID,
  publicId: 'logo',
  deliveryType: 'private',
  shared: false,
  accountId: ENVIRONMENT_ACCOUNT_ID,
  ...overrides,
});
/** Of another issuer. */
const foreign = (overrides: Partial<Overlay> = {}): Overlay =>
  overlay({ issuerId: OTHER_ISSUER_ID, ...overrides });
const font = (overrides: Partial<Overlay> = {}): Overlay =>
  overlay({ publicId: 'fonts/Brand.ttf', deliveryType: 'authenticated', ...overrides });
const TEXT = { text: 'Hi, you', font_family: OVERLAY_ID, font_size: 40, font_weight: 'bold' };

/** Rows of the database. */
interface Rows {
  readonly issuer?: Partial<Issuer> | null;
  readonly policy?: PolicyDocument | null;
  readonly image?: Partial<Image> | null;
  readonly placeholder?: Partial<Image>;
  readonly overlays?: readonly Overlay[];
  readonly revoked?: boolean;
  readonly jwksKeys?: readonly PublicKey[];
  /** The client's. */
  readonly address?: string | null;
  /** The one fact that is not in memory. */
  readonly pending?: keyof Facts;
}

class MemoryFacts implements Facts {
  readonly read: string[] = [];
  readonly paid: Picture[] = [];
  readonly clientAddress: string | undefined | null;

  constructor(private readonly rows: Rows) {
    this.clientAddress = rows.address;
  }

  issuer(id: string): Fact<Issuer | null> {
    const { issuer, policy = {} } = this.rows;
    if (issuer === null || id !== SEED_ISSUER_ID) return this.note('issuer', null);
    return this.note(
      'issuer',
      makeIssuer({ policy: policy === null ? null : compilePolicy(policy), ...issuer }),
    );
  }

  issuerOfAlias(alias: string): Fact<Issuer | null> {
    const issuer = makeIssuer(this.rows.issuer ?? {});
    return this.note('issuerOfAlias', issuer.issAliases.includes(alias) ? issuer : null);
  }

  jwksKeys(): Fact<readonly PublicKey[]> {
    return this.note('jwksKeys', this.rows.jwksKeys ?? []);
  }

  image(issuerId: string, id: string): Fact<Image | null> {
    const { placeholder } = this.rows;
    if (placeholder !== undefined && id === PLACEHOLDER_ID)
      return image({ id, publicId: 'gone', ...placeholder });
    return this.note('image', this.rows.image === null || id !== IMAGE_ID ? null : image(this.rows.image));
  }

  publicImage(id: string): Fact<Image | null> {
    const found = this.rows.image === null || id !== IMAGE_ID ? null : image(this.rows.image);
    return this.note('publicImage', found?.access === 'public' ? found : null);
  }

  overlays(issuer: Issuer, ids: readonly string[]): Fact<ReadonlyMap<string, Overlay>> {
    const { overlays = [overlay()] } = this.rows;
    return this.note(
      'overlays',
      new Map(
        overlays.filter((row) => ids.includes(row.id) && isVisible(row, issuer)).map((row) => [row.id, row]),
      ),
    );
  }

  isRevoked(): Fact<boolean> {
    return this.note('isRevoked', this.rows.revoked === true);
  }

  payPicture(picture: Picture): Fact<true> {
    this.paid.push(picture);
    return this.note('payPicture', true);
  }

  consumeRate(): void {
    this.read.push('consumeRate');
  }

  private note<T>(name: keyof Facts, value: T): Fact<T> {
    this.read.push(name);
    return this.rows.pending === name ? PENDING : value;
  }
}

type Claims = Readonly<Record<string, unknown>>;

const sign = (claims: Claims = {}): string => mint({ payload: { iss: SEED_ISSUER_ID, ...claims } });

const decideWithoutProxy = (policy: PolicyDocument): Fact<RedirectDecision> =>
  decideRedirect({ pathId: IMAGE_ID, query: { token: sign() } }, new MemoryFacts({ policy }), NOW, {
    ...services,
    canProxy: false,
  });

function decide(
  query: Readonly<Record<string, unknown>>,
  rows: Rows = {},
  pathId = IMAGE_ID,
  now = NOW,
): Fact<RedirectDecision> {
  return decideRedirect({ pathId, query }, new MemoryFacts(rows), now, services);
}

/** The chain that the decision signs. */
function chainOf(decision: Fact<RedirectDecision>): string {
  if (decision === PENDING) throw new Error('A fact is pending');
  return decision.url.replace(/^https:\/\/res\.cloudinary\.com\/demo\/image\/[a-z]+\/s--[\w-]{8}--\//, '');
}

function refusalOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProblemError) return `${error.status} ${error.code}`;
    throw error;
  }
  return 'decided';
}

describe('a process without the proxy', () => {
  it('refuses the images of a policy that requires it, and no others', () => {
    expect(refusalOf(() => decideWithoutProxy({ delivery: 'proxy' }))).toBe('503 proxy_disabled');
    expect(chainOf(decideWithoutProxy({ delivery: 'redirect' }))).toBe(`${BASE}/v7/photo.jpg`);
  });
});

describe('a redirect', () => {
  it.each<[what: string, claims: Claims, rows: Rows, chain: string]>([
    ['no steps', {}, {}, `${BASE}/v7/photo.jpg`],
    ['a step', { transformations: [{ width: 5 }] }, {}, `${BASE}/w_5/v7/photo.jpg`],
    ['an overlay', { transformations: [{ overlay: OVERLAY_ID }] }, {}, `${BASE}/l_private:logo/v7/photo.jpg`],
    ...[
      '192.0.2.1',
      '::ffff:192.0.2.1',
      '192.0.2.1:8080',
      '2001:DB8::5',
      '[2001:db8::5]:80',
      '2001:db8::5%eth0',
      null,
    ].map((address): [string, Claims, Rows, string] => [
      `the address ${address}`,
      { bind_ip: ['192.0.2.1', '2001:db8::/32'] },
      { policy: { bind_ip: true }, address },
      `${BASE}/v7/photo.jpg`,
    ]),
    ['the original', { sharinpix: { original: true } }, {}, 'fl_attachment/v7/photo.jpg'],
    ['no download', { sharinpix: { original: true, download: false } }, {}, 'v7/photo.jpg'],
    ['another format', {}, { issuer: { deliveryFormat: 'png' } }, `${BASE}/v7/photo.png`],
    [
      'the original’s format',
      { transformations: [{ width: 5 }] },
      { issuer: { deliveryFormat: 'original' } },
      `${BASE}/w_5/v7/photo.png`,
    ],
    [
      'the original in its format',
      { sharinpix: { original: true, download: false } },
      { issuer: { deliveryFormat: 'original' }, policy: { original: 'url' } },
      'v7/photo.png',
    ],
    [
      'steps under a policy of downloads',
      { transformations: [{ width: 5 }] },
      { policy: { original: 'download' } },
      `${BASE}/w_5/v7/photo.jpg`,
    ],
    ['a base chain', {}, { policy: { base_chain: ['q_auto'] } }, 'q_auto/v7/photo.jpg'],
    [
      'a file name that this service writes',
      { sharinpix: { filename: 'a.jpg' } },
      { policy: { base_chain: ['fl_attachment'], claims: 'sharinpix', delivery: 'proxy' } },
      'fl_attachment/v7/photo.jpg',
    ],
    [
      'mandatory steps',
      { transformations: [{ width: 5 }] },
      { policy: { base_chain: [], mandatory_steps: [{ overlay: OVERLAY_ID }] } },
      'w_5/l_private:logo/v7/photo.jpg',
    ],
    [
      'a size limit after the mandatory steps',
      {},
      { policy: { base_chain: [], mandatory_steps: [{ effect: 'sepia' }], max_width: 9 } },
      'e_sepia/c_limit,w_9/v7/photo.jpg',
    ],
    [
      'a preset',
      { transformations: [{ preset: 'card' }] },
      { policy: { base_chain: [], presets: { card: [{ width: 5 }, { effect: 'sepia' }] } } },
      'w_5/e_sepia/v7/photo.jpg',
    ],
    [
      'a mandatory overlay that another issuer shares',
      { transformations: [{ width: 5 }] },
      {
        overlays: [foreign({ shared: true })],
        policy: { base_chain: [], mandatory_steps: [{ overlay: OVERLAY_ID }] },
      },
      'w_5/l_private:logo/v7/photo.jpg',
    ],
    [
      'a preset whose overlay another issuer shares',
      { transformations: [{ preset: 'card' }, { width: 5 }] },
      {
        overlays: [foreign({ shared: true })],
        policy: { base_chain: [], presets: { card: [{ overlay: OVERLAY_ID }, { flags: 'layer_apply' }] } },
      },
      'l_private:logo/fl_layer_apply/w_5/v7/photo.jpg',
    ],
    [
      'a text in a font file',
      { transformations: [{ overlay: TEXT, gravity: 'south' }] },
      { overlays: [font()] },
      `${BASE}/g_south,l_text:fonts:Brand.ttf_40_bold:Hi%252C%20you/v7/photo.jpg`,
    ],
    [
      'a preset whose font another issuer shares',
      { transformations: [{ preset: 'title' }] },
      {
        overlays: [font({ shared: true, issuerId: OTHER_ISSUER_ID })],
        policy: { base_chain: [], presets: { title: [{ underlay: TEXT }] } },
      },
      'u_text:fonts:Brand.ttf_40_bold:Hi%252C%20you/v7/photo.jpg',
    ],
    [
      'a placeholder',
      {},
      { image: { deleted: true }, placeholder: {}, policy: { base_chain: [], placeholder: PLACEHOLDER_ID } },
      'v7/gone.jpg',
    ],
    [
      'a placeholder of a rejected image',
      {},
      { image: { rejected: true }, placeholder: {}, policy: { base_chain: [], placeholder: PLACEHOLDER_ID } },
      'v7/gone.jpg',
    ],
  ])('with %s leads to its chain', (_, claims, rows, chain) => {
    expect(chainOf(decide({ token: sign(claims) }, rows))).toBe(chain);
  });

  it.each<[what: string, query: Claims, rows: Rows, chain: string]>([
    ['no size', {}, {}, `${BASE}/v7/photo.jpg`],
    [
      'a size',
      { width: '5', height: '6', crop: 'fit', effect: 'sepia' },
      {},
      `${BASE}/c_fit,h_6,w_5/v7/photo.jpg`,
    ],
  ])('of a public image with %s leads to its chain', (_, query, rows, chain) => {
    expect(chainOf(decide(query, { image: { access: 'public' }, ...rows }))).toBe(chain);
  });

  it.each<[what: string, claims: Claims, rows: Rows, refusal: string]>([
    ['an unknown issuer', {}, { issuer: null }, '401 invalid_token'],
    ['a disabled issuer', {}, { issuer: { disabled: true } }, '401 invalid_token'],
    ['another key', {}, { issuer: { keys: [makeKey({ id: 'other' })] } }, '401 invalid_token'],
    [
      'a locked key',
      {},
      { issuer: { keys: [], lockedKeys: [{ ...makeKey(), secret: null }] } },
      '503 issuer_unavailable',
    ],
    ['an expired token', { exp: SECONDS - 30 }, {}, '401 invalid_token'],
    ['a token that is not yet valid', { nbf: SECONDS + 31 }, {}, '401 invalid_token'],
    [
      'a token from before the issuer’s not_before',
      { iat: 5 },
      { issuer: { notBefore: new Date(NOW) } },
      '401 invalid_token',
    ],
    [
      'a token from before the image’s not_before',
      { iat: 5 },
      { image: { notBefore: new Date(NOW) } },
      '401 invalid_token',
    ],
    ['a revoked token', { jti: 'a' }, { revoked: true }, '401 invalid_token'],
    ['a claim that resembles a known one', { transformation: [] }, {}, '401 invalid_token'],
    ['a list of other images', { image_id: [OTHER_IMAGE_ID] }, {}, '403 image_not_in_token'],
    ['another image', { image_id: OTHER_IMAGE_ID }, {}, '404 image_not_found'],
    ['a missing image', {}, { image: null }, '404 image_not_found'],
    [
      'a missing overlay',
      { transformations: [{ overlay: OVERLAY_ID }] },
      { overlays: [] },
      '404 overlay_not_found',
    ],
    [
      'a missing mandatory overlay',
      {},
      { overlays: [], policy: { mandatory_steps: [{ overlay: OVERLAY_ID }] } },
      '404 overlay_not_found',
    ],
    [
      'an overlay that another issuer shares, in its own steps',
      { transformations: [{ overlay: OVERLAY_ID }] },
      { overlays: [foreign({ shared: true })] },
      '404 overlay_not_found',
    ],
    [
      'a shared overlay in its own steps beside a policy that uses it',
      { transformations: [{ preset: 'card' }, { default_image: OVERLAY_ID }] },
      {
        overlays: [foreign({ shared: true, deliveryType: 'upload' })],
        policy: {
          presets: { card: [{ overlay: OVERLAY_ID }] },
          mandatory_steps: [{ overlay: OVERLAY_ID }],
        },
      },
      '404 overlay_not_found',
    ],
    [
      'a shared font in its own steps',
      { transformations: [{ overlay: TEXT }] },
      { overlays: [font({ shared: true, issuerId: OTHER_ISSUER_ID })] },
      '404 overlay_not_found',
    ],
    [
      'a mandatory overlay of another issuer that is not shared',
      {},
      { overlays: [foreign()], policy: { mandatory_steps: [{ overlay: OVERLAY_ID }] } },
      '404 overlay_not_found',
    ],
    [
      'a mandatory overlay that another account shares',
      {},
      {
        overlays: [foreign({ shared: true, accountId: OTHER_ISSUER_ID })],
        policy: { mandatory_steps: [{ overlay: OVERLAY_ID }] },
      },
      '404 overlay_not_found',
    ],
    [
      'a font file as an image',
      { transformations: [{ overlay: OVERLAY_ID }] },
      { overlays: [font()] },
      '422 invalid_transformation',
    ],
    ['an image as a font', { transformations: [{ overlay: TEXT }] }, {}, '422 invalid_transformation'],
    [
      'a font of another type',
      { transformations: [{ overlay: TEXT }] },
      { overlays: [font({ deliveryType: 'upload' })] },
      '422 invalid_transformation',
    ],
    ['a missing font', { transformations: [{ overlay: TEXT }] }, { overlays: [] }, '404 overlay_not_found'],
    [
      'a text of a bad style in a font file',
      { transformations: [{ overlay: { ...TEXT, font_weight: 'heavy' } }] },
      { overlays: [font()] },
      '422 invalid_transformation',
    ],
    ['a deleted image', {}, { image: { deleted: true } }, '410 image_deleted'],
    [
      'a deleted placeholder',
      {},
      { image: { deleted: true }, placeholder: { deleted: true }, policy: { placeholder: PLACEHOLDER_ID } },
      '410 image_deleted',
    ],
    ['a rejected image', {}, { image: { rejected: true } }, '410 image_rejected'],
    [
      'a rejected image that was deleted',
      {},
      { image: { rejected: true, deleted: true } },
      '410 image_deleted',
    ],
    [
      'a rejected placeholder',
      {},
      { image: { rejected: true }, placeholder: { rejected: true }, policy: { placeholder: PLACEHOLDER_ID } },
      '410 image_rejected',
    ],
    ['a bad step', { transformations: [{ width: 0 }] }, {}, '422 invalid_transformation'],
    ['an unknown preset', { transformations: [{ preset: 'x' }] }, {}, '422 invalid_transformation'],
    ['an unreadable policy', {}, { policy: null }, '503 policy_unreadable'],
    ['a policy that requires exp', {}, { policy: { require_exp: true } }, '403 policy_violation'],
    ['a policy that requires image_id', {}, { policy: { require_image_id: true } }, '403 policy_violation'],
    [
      'uses that a redirect cannot count',
      { max_uses: 1, jti: 'a', exp: SECONDS + 60 },
      {},
      '403 policy_violation',
    ],
    ['addresses under a policy without them', { bind_ip: '192.0.2.1' }, {}, '403 policy_violation'],
    [
      'another address',
      { bind_ip: ['192.0.2.1', '2001:db8::/32'] },
      { policy: { bind_ip: true }, address: '192.0.2.2' },
      '403 address_not_in_token',
    ],
    [
      'an unknown address',
      { bind_ip: '0.0.0.0/0' },
      { policy: { bind_ip: true } },
      '403 address_not_in_token',
    ],
    [
      'an address that no proxy wrote as one',
      { bind_ip: '0.0.0.0/0' },
      { policy: { bind_ip: true }, address: 'unknown' },
      '403 address_not_in_token',
    ],
    ['an old token', { iat: SECONDS - 100 }, { policy: { max_token_age: 60 } }, '403 policy_violation'],
    [
      'a denied key',
      { transformations: [{ width: 5 }] },
      { policy: { denied_keys: ['width'] } },
      '403 policy_violation',
    ],
    [
      'a generative effect',
      { transformations: [{ effect: 'gen_restore' }] },
      { policy: { deny_generative_effects: true } },
      '403 policy_violation',
    ],
    [
      'a denied effect',
      { transformations: [{ effect: 'enhance' }] },
      { policy: { denied_effects: ['ai'] } },
      '403 policy_violation',
    ],
    [
      'an overlay that the policy does not list, before it is looked up',
      { transformations: [{ overlay: OVERLAY_ID }] },
      { policy: { allowed_overlays: [] }, overlays: [] },
      '403 policy_violation',
    ],
    [
      'a text that is too long',
      { transformations: [{ overlay: TEXT }] },
      { policy: { text: 6 } },
      '403 policy_violation',
    ],
    [
      'a side beyond the limit',
      { transformations: [{ width: 5 }] },
      { policy: { max_width: 4 } },
      '403 policy_violation',
    ],
    [
      'the original under a limit',
      { sharinpix: { original: true } },
      { policy: { max_width: 4 } },
      '403 policy_violation',
    ],
    [
      'the original under a policy of none',
      { sharinpix: { original: true } },
      { policy: { original: 'no' } },
      '403 policy_violation',
    ],
    [
      'no known format, where the original’s is delivered',
      {},
      { issuer: { deliveryFormat: 'original' }, image: { format: null } },
      '409 image_format_unknown',
    ],
    [
      'a download without an API key',
      { sharinpix: { original: true } },
      { issuer: { account: makeAccount({ apiKey: null }) }, policy: { original: 'download' } },
      '503 download_unavailable',
    ],
    [
      'a download of a public image',
      { sharinpix: { original: true } },
      { image: { access: 'public' }, policy: { original: 'download' } },
      '403 policy_violation',
    ],
    [
      'a download of a deleted image, whatever the placeholder',
      { sharinpix: { original: true } },
      {
        image: { deleted: true },
        placeholder: {},
        policy: { original: 'download', placeholder: PLACEHOLDER_ID },
      },
      '410 image_deleted',
    ],
    [
      'a download that has expired within the leeway',
      { exp: SECONDS, sharinpix: { original: true } },
      { policy: { original: 'download' } },
      '401 invalid_token',
    ],
    [
      'a download under mandatory steps',
      { sharinpix: { original: true } },
      { policy: { original: 'download', mandatory_steps: [{ effect: 'sepia' }] } },
      '403 policy_violation',
    ],
  ])('with %s is refused', (_, claims, rows, refusal) => {
    expect(refusalOf(() => decide({ token: sign(claims) }, rows))).toBe(refusal);
  });

  it.each<[what: string, query: Claims, rows: Rows, pathId: string, refusal: string]>([
    ['no token of a sealed image', {}, {}, IMAGE_ID, '401 token_required'],
    ['no token of a missing image', {}, { image: null }, IMAGE_ID, '401 token_required'],
    [
      'no token of a disabled issuer',
      {},
      { image: { access: 'public' }, issuer: { disabled: true } },
      IMAGE_ID,
      '401 token_required',
    ],
    [
      'no token of a deleted image',
      {},
      { image: { access: 'public', deleted: true } },
      IMAGE_ID,
      '410 image_deleted',
    ],
    [
      'no token and a placeholder that needs one',
      {},
      {
        image: { access: 'public', deleted: true },
        placeholder: {},
        policy: { placeholder: PLACEHOLDER_ID },
      },
      IMAGE_ID,
      '410 image_deleted',
    ],
    [
      'no token of a rejected image',
      {},
      { image: { access: 'public', rejected: true } },
      IMAGE_ID,
      '410 image_rejected',
    ],
    ['no token and no UUID', {}, {}, 'image.jpg', '400 invalid_image_id'],
    ['a token and no UUID', { token: sign() }, {}, 'image.jpg', '400 invalid_image_id'],
    ['an empty token', { token: '' }, {}, IMAGE_ID, '401 invalid_token'],
    ['two tokens', { token: [sign(), sign()] }, {}, IMAGE_ID, '401 invalid_token'],
  ])('with %s is refused', (_, query, rows, pathId, refusal) => {
    expect(refusalOf(() => decide(query, rows, pathId))).toBe(refusal);
  });

  it.each<[claims: Claims, image: Partial<Image>, account: Partial<Account>, expiresAt: number]>([
    [{}, {}, {}, SECONDS + 60],
    [{ exp: SECONDS + 61 }, {}, {}, SECONDS + 60],
    [{ exp: SECONDS + 59.9 }, { deliveryType: 'private' }, { signature: 'long' }, SECONDS + 59],
    [{ exp: SECONDS + 1 }, { format: null }, { signature: 'sha256' }, SECONDS + 1],
    [
      { sharinpix: { original: true, download: false } },
      { publicId: 'größe & co/a' },
      { uploadPrefix: 'https://api-eu.cloudinary.com' },
      SECONDS + 60,
    ],
  ])(
    'of the original as a download, with %j of %j at %j, is the SDK’s link until %i',
    (own, of, at, until) => {
      const claims = { sharinpix: { original: true }, ...own };
      const account = makeAccount(at);
      const rows: Rows = {
        image: of,
        issuer: { account },
        policy: { original: 'download', redirect_cache: 'private' },
      };
      const decision = decide({ token: sign(claims) }, rows, IMAGE_ID, NOW + 400);
      if (decision === PENDING) throw new Error('A fact is pending');
      const options = {
        type: decision.image.deliveryType,
        expires_at: until,
        ...('download' in claims.sharinpix ? {} : { attachment: true }),
        timestamp: SECONDS,
        cloud_name: 'demo',
        api_key: '1',
        api_secret: account.apiSecret,
        upload_prefix: account.uploadPrefix,
        signature_algorithm: account.signature === 'sha256' ? 'sha256' : 'sha1',
      };
      const { publicId, format } = decision.image;
      expect(decision.url).toBe(cloudinary.utils.private_download_url(publicId, format ?? '', options));
      expect(decision).toMatchObject({
        base: { components: [] },
        lifetime: { maxAge: 0 },
        validity: { from: Infinity },
      });
    },
  );

  it.each<keyof Facts>(['issuer', 'isRevoked', 'image', 'overlays'])(
    'is pending while %s is not in memory',
    (pending) => {
      const token = sign({ jti: 'a', transformations: [{ overlay: OVERLAY_ID }] });
      expect(decide({ token }, { pending })).toBe(PENDING);
    },
  );

  it.each<keyof Facts>(['publicImage', 'issuer'])(
    'of a public image is pending while %s is not in memory',
    (pending) => {
      expect(decide({}, { pending, image: { access: 'public' } })).toBe(PENDING);
    },
  );

  it('pays once for each picture of an issuer with a budget, and only if it is delivered', () => {
    const policy = { new_pictures_per_day: 5 };
    const paidBy = (claims: Claims, rows: Rows = {}, of: PolicyDocument = policy): Picture[] => {
      const facts = new MemoryFacts({ policy: of, ...rows });
      try {
        decideRedirect({ pathId: IMAGE_ID, query: { token: sign(claims) } }, facts, NOW, services);
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
      }
      return facts.paid;
    };
    const step = { transformations: [{ width: 5 }] };
    const [picture, ...others] = paidBy(step);
    expect(others).toStrictEqual([]);
    expect(picture).toStrictEqual({
      issuerId: SEED_ISSUER_ID,
      budget: 5,
      digest: expect.stringMatching(/^[\w-]{22}$/) as string,
    });
    const digestOf = (...args: Parameters<typeof paidBy>): string | undefined => paidBy(...args)[0]?.digest;
    // Whatever does not change the URL is the same picture.
    expect(digestOf({ ...step, jti: 'a', exp: SECONDS + 60 })).toBe(picture?.digest);
    expect(digestOf({ transformations: [{ width: '5', miaim: 1 }] })).toBe(picture?.digest);
    const different: Parameters<typeof paidBy>[] = [
      [{}],
      [{ transformations: [{ width: 6 }] }],
      [{ ...step, sharinpix: { download: false } }],
      [{ sharinpix: { original: true } }],
      [step, { image: { publicId: 'other' } }],
      [step, { image: { version: 8 } }],
      [step, { image: { deliveryType: 'private' } }],
      [step, { issuer: { deliveryFormat: 'webp' } }],
      [step, { issuer: { accountId: OTHER_ISSUER_ID } }],
    ];
    const digests = different.map((args) => digestOf(...args));
    expect(digests).not.toContain(undefined);
    expect(new Set([...digests, picture?.digest]).size).toBe(different.length + 1);
    for (const refused of [{ transformations: [{ width: 0 }] }, { exp: 5 }, { transformation: [] }]) {
      expect(paidBy(refused)).toStrictEqual([]);
    }
    expect(paidBy(step, { image: null })).toStrictEqual([]);
    expect(paidBy(step, {}, {})).toStrictEqual([]);
    expect(
      paidBy({ sharinpix: { original: true } }, {}, { ...policy, original: 'download' }),
      'a stored file is no derivative',
    ).toStrictEqual([]);
    expect(decide({ token: sign(step) }, { policy, pending: 'payPicture' })).toBe(PENDING);
  });

  it('is valid for as long as its token, its keys and its policy allow', () => {
    const later = makeKey({ id: 'later', notBefore: new Date(NOW + 50_000) });
    const validityOf = (claims: Claims, rows: Rows): object => {
      const decision = decide({ token: sign(claims) }, rows);
      return decision === PENDING ? {} : decision.validity;
    };
    const keys = [makeKey({ notBefore: new Date(NOW - 5_000) })];
    expect(validityOf({}, {})).toStrictEqual({ from: -Infinity, until: Infinity });
    expect(validityOf({}, { policy: { new_pictures_per_day: 1 } })).toStrictEqual({
      from: -Infinity,
      until: Date.UTC(2025, 10, 25),
    });
    expect(validityOf({ exp: SECONDS + 60 }, {})).toMatchObject({ until: NOW + 90_000 });
    expect(validityOf({ nbf: SECONDS, iat: SECONDS - 5 }, {})).toMatchObject({ from: NOW - 30_000 });
    expect(validityOf({}, { issuer: { keys } })).toMatchObject({ from: NOW - 5_000 });
    expect(validityOf({}, { issuer: { keys: [...keys, later] } })).toMatchObject({ until: NOW + 50_000 });
    expect(validityOf({ iat: SECONDS }, { policy: { max_token_age: 60 } })).toMatchObject({
      until: NOW + 90_000,
    });
  });

  it.each<[claims: Claims, expiration: number]>([
    [{ iat: SECONDS }, SECONDS + 100],
    [{ iat: SECONDS, exp: SECONDS + 200 }, SECONDS + 100],
    [{ iat: SECONDS, exp: SECONDS + 60 }, SECONDS + 60],
  ])(
    'with %j under a maximal age of 100 seconds, its URL expires a minute after %i',
    (claims, expiration) => {
      const authToken = { key: '00'.repeat(16), duration: 3_600, round: 300, withSignature: false };
      const rows = { issuer: { account: makeAccount({ authToken }) }, policy: { max_token_age: 100 } };
      const decision = decide({ token: sign(claims) }, rows);
      expect(decision).toMatchObject({ url: expect.stringContaining(`exp=${expiration + 60}~`) as string });
    },
  );

  it('is valid while the URL of a token without exp is the same, if URLs expire', () => {
    const validityOf = (claims: Claims, round: number, query?: object): object => {
      const authToken = { key: '00'.repeat(16), duration: 3_600, round, withSignature: false };
      const rows = { issuer: { account: makeAccount({ authToken }) }, image: { access: 'public' as const } };
      const decision = decide({ ...(query ?? { token: sign(claims) }) }, rows);
      return decision === PENDING ? {} : decision.validity;
    };
    const end = Math.ceil((SECONDS + 3_600) / 7_200) * 7_200;
    expect(validityOf({}, 7_200)).toStrictEqual({ from: (end - 10_800) * 1000, until: (end - 3_600) * 1000 });
    expect(validityOf({}, 7_200, {})).toStrictEqual(validityOf({}, 7_200));
    expect(validityOf({ nbf: SECONDS }, 7_200)).toMatchObject({ until: (end - 3_600) * 1000 });
    expect(validityOf({ exp: SECONDS + 60 }, 7_200)).toStrictEqual({ from: -Infinity, until: NOW + 90_000 });
    expect(isEmpty(validityOf({}, 0) as ValidityPeriod)).toBe(true);
    expect(isEmpty(validityOf({ exp: SECONDS + 60 }, 0) as ValidityPeriod)).toBe(false);
  });
});
