import { Cloudinary, CloudinaryImage, Transformation } from '@cloudinary/url-gen';
import { v2 as cloudinary } from 'cloudinary';
import '../support/built.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { getPicture, measure, uploadPictures } from '../support/pictures.js';
import { post } from '../support/seed.js';
import { API_SECRET, CLOUD, startService, type Service } from '../support/service.js';

const ORIGINAL = { width: 2400, height: 1600 };
const OPEN = 'open/landscape';
const SIGNED = 'sealed/landscape';
const LOGO = 'brand/seal';

let service: Service;

beforeAll(async () => {
  service = await startService({ DELIVERY_MODE: 'local' });
  const { id } = await post<{ id: string }>(service, '/issuers', { name: 'Clients' });
  await uploadPictures(service, id, {
    image: { public_id: OPEN, delivery_type: 'upload' },
    overlay: { public_id: LOGO, delivery_type: 'upload' },
  });
  await uploadPictures(service, id, { image: { public_id: SIGNED } });
});
afterAll(() => service.close());

/** URLs that users write, with the size that Cloudinary's documentation states; null if the content determines it. */
const TYPICAL: readonly (readonly [
  Readonly<Record<string, unknown>>,
  { width: number; height: number } | null,
])[] = [
  [{}, ORIGINAL],
  [{ width: 300 }, { width: 300, height: 200 }],
  [{ height: 160 }, { width: 240, height: 160 }],
  [{ width: 0.1 }, { width: 240, height: 160 }],
  [
    { width: 300, height: 300, crop: 'scale' },
    { width: 300, height: 300 },
  ],
  [
    { width: 300, height: 300, crop: 'fit' },
    { width: 300, height: 200 },
  ],
  [{ width: 9000, height: 9000, crop: 'limit' }, ORIGINAL],
  [
    { width: 300, height: 300, crop: 'limit' },
    { width: 300, height: 200 },
  ],
  [{ width: 300, height: 300, crop: 'mfit' }, null],
  [
    { width: 300, height: 300, crop: 'fill' },
    { width: 300, height: 300 },
  ],
  [
    { width: 300, height: 300, crop: 'fill', gravity: 'north_west' },
    { width: 300, height: 300 },
  ],
  [
    { width: 300, height: 300, crop: 'fill', gravity: 'auto' },
    { width: 300, height: 300 },
  ],
  [
    { width: 300, height: 300, crop: 'lfill' },
    { width: 300, height: 300 },
  ],
  [
    { width: 300, height: 300, crop: 'pad', background: 'white' },
    { width: 300, height: 300 },
  ],
  [
    { width: 300, height: 300, crop: 'lpad', background: 'rgb:336699' },
    { width: 300, height: 300 },
  ],
  [{ width: 300, height: 300, crop: 'mpad', background: 'black' }, null],
  [
    { width: 300, height: 300, crop: 'fill_pad', gravity: 'auto' },
    { width: 300, height: 300 },
  ],
  [
    { width: 500, height: 400, crop: 'crop' },
    { width: 500, height: 400 },
  ],
  [
    { width: 500, height: 400, crop: 'crop', gravity: 'south_east' },
    { width: 500, height: 400 },
  ],
  [
    { width: 500, height: 400, crop: 'crop', x: 100, y: 50 },
    { width: 500, height: 400 },
  ],
  [
    { width: 150, height: 150, crop: 'thumb', gravity: 'center' },
    { width: 150, height: 150 },
  ],
  [
    { width: 150, height: 150, crop: 'thumb', gravity: 'face' },
    { width: 150, height: 150 },
  ],
  [
    { aspect_ratio: '16:9', width: 320, crop: 'fill' },
    { width: 320, height: 180 },
  ],
  [
    { aspect_ratio: '1.0', height: 200, crop: 'fill' },
    { width: 200, height: 200 },
  ],
  [
    { width: 200, crop: 'scale', dpr: '2.0' },
    { width: 400, height: 267 },
  ],
  [{ width: 200, angle: 90 }, null],
  [{ transformation: [{ width: 300 }, { angle: 90 }] }, { width: 200, height: 300 }],
  [{ transformation: [{ width: 300 }, { angle: 'hflip' }] }, { width: 300, height: 200 }],
  [
    { width: 300, height: 300, crop: 'fill', radius: 'max' },
    { width: 300, height: 300 },
  ],
  [
    { width: 300, height: 200, crop: 'fill', radius: '20:40' },
    { width: 300, height: 200 },
  ],
  [{ width: 300, border: '4px_solid_red' }, null],
  [
    { width: 300, opacity: 40 },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'grayscale' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'sepia:50' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'blur:300' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'pixelate:20' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'brightness:30' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'contrast:-20' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'saturation:70' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'sharpen' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'negate' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'vignette:40' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, effect: 'colorize:40', color: 'blue' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, quality: 40 },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, quality: 'auto' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, quality: 'auto:eco', fetch_format: 'auto' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, fetch_format: 'webp' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, fetch_format: 'png' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, flags: 'progressive' },
    { width: 300, height: 200 },
  ],
  [
    { width: 300, flags: 'attachment' },
    { width: 300, height: 200 },
  ],
  [{ transformation: [{ width: 600 }, { overlay: 'brand:seal', width: 100 }] }, { width: 600, height: 400 }],
  [
    {
      transformation: [
        { width: 600 },
        { overlay: 'brand:seal', width: 100, gravity: 'south_east', x: 10, y: 10 },
      ],
    },
    { width: 600, height: 400 },
  ],
  [
    { transformation: [{ width: 600 }, { overlay: 'brand:seal', width: 80, flags: 'tiled', opacity: 30 }] },
    { width: 600, height: 400 },
  ],
  [
    {
      transformation: [
        { width: 600 },
        { overlay: 'brand:seal' },
        { width: 120, effect: 'negate' },
        { flags: 'layer_apply', gravity: 'north' },
      ],
    },
    { width: 600, height: 400 },
  ],
  [
    {
      transformation: [
        { width: 300, crop: 'fit' },
        { underlay: 'brand:seal', width: 300 },
      ],
    },
    { width: 300, height: 200 },
  ],
  [
    {
      transformation: [
        { width: 600 },
        {
          overlay: { text: 'Hello, world', font_family: 'Arial', font_size: 40 },
          color: 'white',
          gravity: 'south',
          y: 20,
        },
      ],
    },
    { width: 600, height: 400 },
  ],
  [
    {
      transformation: [
        { width: 600 },
        {
          overlay: { text: 'Überschrift & mehr', font_family: 'Times', font_size: 30, font_weight: 'bold' },
          color: '#ff8800',
        },
      ],
    },
    { width: 600, height: 400 },
  ],
  [
    { width: 'iw_div_4', crop: 'scale' },
    { width: 600, height: 400 },
  ],
  [{ transformation: [{ width: 300, crop: 'fill', height: 200 }, { effect: 'trim' }] }, null],
  [
    { width: 300, crop: 'fit', default_image: 'brand:seal.png' },
    { width: 300, height: 200 },
  ],
];

describe('the SDK, configured for this service', () => {
  it('has a list of 60 typical URLs', () => {
    expect(TYPICAL).toHaveLength(60);
  });

  it.each(TYPICAL.map(([options, size]) => [JSON.stringify(options), options, size] as const))(
    'gets its signed image: %s',
    async (_, options, size) => {
      const url = cloudinary.url(SIGNED, {
        ...options,
        type: 'authenticated',
        format: 'jpg',
        version: '1',
        sign_url: true,
        secure: false,
        cname: `127.0.0.1:${service.port}`,
        cloud_name: CLOUD,
        api_secret: API_SECRET,
        urlAnalytics: false,
      });
      expect(url.startsWith(`http://127.0.0.1:${service.port}/${CLOUD}/image/authenticated/s--`)).toBe(true);
      const response = await getPicture(url);
      expect([response.status, response.headers.get('x-cld-error')]).toStrictEqual([200, null]);
      const { width, height } = await measure(response.body);
      if (size === null) expect(Math.min(width, height)).toBeGreaterThan(0);
      else expect({ width, height }).toStrictEqual(size);
    },
  );
});

describe('@cloudinary/url-gen, configured for this service', () => {
  const create = (): CloudinaryImage =>
    new Cloudinary({
      cloud: { cloudName: CLOUD },
      url: { cname: `127.0.0.1:${service.port}`, secure: false, analytics: false },
    })
      .image(OPEN)
      .setVersion(1)
      .format('jpg');

  it.each(
    TYPICAL.filter(([options]) => options['transformation'] === undefined).map(
      ([options, size]) => [options, size] as const,
    ),
  )('gets its image: %o', async (options, size) => {
    const chain = cloudinary.utils.generate_transformation_string({ ...options });
    const url = create()
      .addTransformation(chain === '' ? new Transformation() : chain)
      .toURL();
    const response = await getPicture(url);
    expect([url, response.status, response.headers.get('x-cld-error')]).toStrictEqual([url, 200, null]);
    const { width, height } = await measure(response.body);
    if (size !== null) expect({ width, height }).toStrictEqual(size);
  });
});
