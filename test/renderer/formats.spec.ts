import sharp, { type Metadata } from 'sharp';
import { describe, expect, it } from 'vitest';
import { negotiate } from '../../src/renderer/image/encode.js';
import { BLUE, CLEAR, drawn, GREEN, quadrants, RED, refusal, render, unpack, YELLOW } from './drawings.js';

const photo = await quadrants(80, 60).jpeg({ quality: 95 }).toBuffer();
const hollow = await drawn(20, 20, (x) => (x < 10 ? CLEAR : GREEN))
  .png()
  .toBuffer();
/** Four frames of 20 × 10: red, green, blue, yellow; 100 ms each, three times over. */
const moving = await drawn(20, 40, (_, y) => [RED, GREEN, BLUE, YELLOW][Math.floor(y / 10)] ?? RED)
  .gif({ delay: [100, 100, 100, 100], loop: 3 })
  .toBuffer();
const frames = await (async () => {
  const colors = [RED, GREEN, BLUE, YELLOW];
  const stills = await Promise.all(
    colors.map(
      async (color) =>
        await drawn(20, 10, () => color)
          .png()
          .toBuffer(),
    ),
  );
  return await sharp(stills, { join: { animated: true } })
    .gif({ delay: [100, 100, 100, 100], loop: 3 })
    .toBuffer();
})();

/** Formats by their magic numbers. */
function magic(body: Buffer): string {
  const head = body.toString('latin1', 0, 12);
  if (head.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (head.startsWith('RIFF') && head.endsWith('WEBP')) return 'webp';
  if (head.slice(4, 12) === 'ftypavif') return 'avif';
  if (head.startsWith('GIF8')) return 'gif';
  if (head.startsWith('II*\0') || head.startsWith('MM\0*')) return 'tiff';
  return head;
}

const CHROME = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8';
const OLDER = 'image/webp,*/*';

describe('the format', () => {
  it.each([
    ['jpg', 'image/jpeg', 'jpeg'],
    ['jpeg', 'image/jpeg', 'jpeg'],
    ['png', 'image/png', 'png'],
    ['webp', 'image/webp', 'webp'],
    ['avif', 'image/avif', 'avif'],
    ['gif', 'image/gif', 'gif'],
    ['tiff', 'image/tiff', 'tiff'],
  ])('is the extension, or f_: %s', async (format, contentType, kind) => {
    for (const answer of [
      await render(photo, ['w_40'], { format }),
      await render(photo, ['w_40', `f_${format}`], { format: 'bmp' }),
    ]) {
      const { width, height } = await unpack(answer.body);
      expect([answer.contentType, magic(answer.body), width, height, answer.varyByAccept]).toEqual([
        contentType,
        kind,
        40,
        30,
        false,
      ]);
    }
  });

  it("is the original's without an extension", async () => {
    expect(magic((await render(photo, ['w_40'], { format: '' })).body)).toBe('jpeg');
    expect(magic((await render(hollow, ['w_10'], { format: '' })).body)).toBe('png');
  });

  it('that is not written is refused', async () => {
    expect(await refusal(photo, [], { format: 'bmp' })).toBe('400 Invalid extension in transformation: bmp');
  });

  it.each([
    [CHROME, 'avif', 'avif'],
    [OLDER, 'webp', 'webp'],
    ['image/avif;q=0, image/webp', 'webp', 'webp'],
    ['*/*', 'jpeg', 'png'],
    ['image/*', 'jpeg', 'png'],
    [undefined, 'jpeg', 'png'],
  ])('of f_auto follows Accept %s', async (accept, opaque, transparent) => {
    for (const [original, kind] of [
      [photo, opaque],
      [hollow, transparent],
    ] as const) {
      const answer = await render(original, ['dpr_auto,q_auto,f_auto'], { format: 'jpg', accept });
      expect([magic(answer.body), answer.varyByAccept]).toEqual([kind, true]);
    }
  });

  it.each([
    ['webp', 16_383],
    ['avif', 16_384],
  ])('has sides as long as its encoder takes, and no longer: %s, %i', async (format, longest) => {
    expect(await render(photo, [`c_scale,h_1,w_${longest}`], { format })).toMatchObject({ width: longest });
    expect(await refusal(photo, [`c_scale,h_1,w_${longest + 1}`], { format })).toBe(
      `400 ${format} has sides of at most ${longest} pixels`,
    );
  });

  it('is negotiated before anything is rendered', () => {
    expect(negotiate(['w_1', 'f_auto'], CHROME)).toEqual(['avif', 'webp']);
    expect(negotiate(['w_1', 'f_auto'], OLDER)).toEqual(['webp']);
    expect(negotiate(['f_auto'], undefined)).toEqual([]);
    expect(negotiate(['f_auto', 'f_png'], CHROME)).toBeNull();
    expect(negotiate(['w_1'], CHROME)).toBeNull();
  });

  it('keeps transparency with fl_preserve_transparency', async () => {
    expect(magic((await render(hollow, ['fl_preserve_transparency'], { format: 'jpg' })).body)).toBe('png');
    expect(magic((await render(photo, ['fl_preserve_transparency,w_9'], { format: 'jpg' })).body)).toBe(
      'jpeg',
    );
  });
});

describe('an animation', () => {
  const count = async (body: Buffer): Promise<number> =>
    (await sharp(body, { pages: -1 }).metadata()).pages ?? 1;

  it.each([
    ['gif', [], undefined, 'gif', 4],
    ['webp', ['fl_awebp'], undefined, 'webp', 4],
    ['webp', ['fl_animated'], undefined, 'webp', 4],
    ['webp', [], undefined, 'webp', 1],
    ['jpg', [], undefined, 'jpeg', 1],
    ['png', [], undefined, 'png', 1],
    ['gif', ['f_auto'], OLDER, 'webp', 4],
    ['gif', ['f_auto'], '*/*', 'gif', 4],
    ['jpg', ['f_auto:animated'], OLDER, 'webp', 4],
    ['gif', ['f_auto:image'], OLDER, 'webp', 1],
    ['jpg', ['f_auto'], '*/*', 'jpeg', 1],
    ['gif', ['pg_3'], undefined, 'gif', 1],
  ])('as .%s with %j for %s is %s of %i frames', async (format, chain, accept, kind, number) => {
    const { body, width, height } = await render(frames, ['w_10', ...chain], { format, accept });
    expect([magic(body), await count(body), width, height]).toEqual([kind, number, 10, 5]);
  });

  it('keeps its frames in order, its timing and its repeats', async () => {
    const { body } = await render(frames, ['c_pad,h_20,w_20'], { format: 'gif' });
    const { delay, loop } = await sharp(body, { pages: -1 }).metadata();
    expect([delay, loop]).toEqual([[100, 100, 100, 100], 3]);
    for (const [page, color] of [RED, GREEN, BLUE, YELLOW].entries()) {
      const still = await sharp(body, { page }).png().toBuffer();
      expect((await unpack(still)).at(10, 10)).toEqual(color);
    }
  });

  it('takes dl_ for the delay and e_loop for the repeats', async () => {
    const { body } = await render(frames, ['dl_250', 'e_loop:4'], { format: 'gif' });
    const { delay, loop } = await sharp(body, { pages: -1 }).metadata();
    expect([delay, loop]).toEqual([[250, 250, 250, 250], 5]);
    const forever = await render(frames, ['e_loop'], { format: 'gif' });
    expect((await sharp(forever.body, { pages: -1 }).metadata()).loop).toBe(0);
  });

  it('shows the frame that pg_ names', async () => {
    const { body } = await render(frames, ['pg_3'], { format: 'png' });
    expect((await unpack(body)).at(5, 5)).toEqual(BLUE);
  });

  it('of one frame is a still', async () => {
    expect(await count((await render(moving, ['w_10'], { format: 'gif' })).body)).toBe(1);
  });
});

describe('the file', () => {
  it('is the stored one if nothing is requested', async () => {
    const tagged = await sharp(photo)
      .withExif({ IFD0: { Copyright: 'Someone' } })
      .jpeg()
      .toBuffer();
    for (const chain of [[], ['fl_attachment'], ['fl_attachment.immutable_cache']]) {
      const answer = await render(tagged, chain, { format: 'jpg' });
      expect([answer.body.equals(tagged), answer.width, answer.height]).toEqual([true, 80, 60]);
    }
  });

  it('has no metadata otherwise, but with fl_keep_iptc', async () => {
    const tagged = await sharp(photo)
      .withExif({ IFD0: { Copyright: 'Someone' } })
      .withMetadata({ orientation: 6 })
      .withExifMerge({ IFD0: { Copyright: 'Someone' } })
      .jpeg()
      .toBuffer();
    const plain = await render(tagged, ['w_30'], { format: 'jpg' });
    expect((await sharp(plain.body).metadata()).exif).toBeUndefined();
    const kept = await sharp(
      (await render(tagged, ['fl_keep_iptc,w_30'], { format: 'jpg' })).body,
    ).metadata();
    expect(kept.exif?.includes('Someone')).toBe(true);
    // The pixels are upright already.
    expect([kept.width, kept.height, kept.orientation]).toEqual([30, 40, 1]);
  });

  it('has the requested quality, chroma, scans and density', async () => {
    const jpeg = async (...chain: string[]): Promise<Buffer> =>
      (await render(photo, chain, { format: 'jpg' })).body;
    const lengths = await Promise.all(
      ['q_90', 'q_auto:best', 'q_80', 'q_auto', 'q_auto:eco', 'q_auto:low'].map(
        async (quality) => (await jpeg('w_300,fl_progressive:none', quality)).length,
      ),
    );
    expect(lengths[0]).toBe(lengths[1]);
    expect(lengths[2]).toBe(lengths[3]);
    expect([...lengths].sort((one, other) => other - one)).toEqual(lengths);
    const meta = async (...chain: string[]): Promise<Metadata> =>
      await sharp(await jpeg(...chain)).metadata();
    expect((await meta('q_auto')).isProgressive).toBe(true);
    expect((await meta('q_80')).isProgressive).toBe(false);
    expect((await meta('q_80:444')).chromaSubsampling).toBe('4:4:4');
    expect((await meta('q_80:420')).chromaSubsampling).toBe('4:2:0');
    expect((await meta('fl_progressive')).isProgressive).toBe(true);
    expect((await meta('fl_progressive:none,w_9')).isProgressive).toBe(false);
    expect((await meta('dn_300')).density).toBe(300);
    expect((await meta('fl_force_icc')).hasProfile).toBe(true);
    expect((await meta('fl_strip_profile')).hasProfile).toBe(false);
  });

  it('has a palette with fl_png8, and alpha or none with fl_png32 and fl_png24', async () => {
    const meta = async (original: Buffer, chain: string): Promise<Metadata> =>
      await sharp((await render(original, [chain], { format: 'png' })).body).metadata();
    // Colour type 3 of the header (PNG, 11.2.2): an index into a palette.
    expect((await render(photo, ['fl_png8'], { format: 'png' })).body[25]).toBe(3);
    expect((await meta(hollow, 'fl_png24')).hasAlpha).toBe(false);
    expect((await meta(photo, 'fl_png32')).hasAlpha).toBe(true);
    expect((await meta(photo, 'w_40')).hasAlpha).toBe(false);
  });

  it('is an attachment by its own name, that of the uploaded file, or the public id', async () => {
    const named = async (
      chain: string[],
      publicId: string,
      originalFilename?: string,
    ): Promise<string | undefined> =>
      (
        await render({ find: () => Promise.resolve(photo) }, chain, {
          publicId,
          ...(originalFilename === undefined ? {} : { originalFilename }),
          format: 'jpg',
          accept: OLDER,
        })
      ).headers['Content-Disposition'];
    expect(await named(['w_10'], 'a')).toBeUndefined();
    expect(await named(['fl_attachment'], 'folder/name')).toBe('attachment; filename="name.jpg"');
    expect(await named(['fl_attachment'], 'folder/name', 'red.rose')).toBe(
      'attachment; filename="red.rose.jpg"',
    );
    expect(await named(['fl_attachment:my'], 'a', 'rose')).toBe('attachment; filename="my.jpg"');
    expect(await named(['fl_attachment:my%20flower', 'f_auto'], 'a')).toBe(
      'attachment; filename="my flower.webp"',
    );
    expect(await named(['fl_attachment'], 'é"\r\nX: y')).toBe(
      `attachment; filename="____X: y.jpg"; filename*=UTF-8''%C3%A9%22%0D%0AX%3A%20y.jpg`,
    );
  });

  it('is smaller with less quality in every lossy format', async () => {
    const waves = await drawn(120, 90, (x, y) => [(x * 7) % 256, (y * 11) % 256, (x * y) % 256, 255])
      .png()
      .toBuffer();
    for (const format of ['jpg', 'webp', 'avif']) {
      const fine = await render(waves, ['q_90'], { format });
      const coarse = await render(waves, ['q_20'], { format });
      expect(coarse.body.length).toBeLessThan(fine.body.length);
    }
  });
});

describe('a delivered file that differs from Cloudinary’s', () => {
  const AVIF = 'q: three quarters of the number for AVIF';
  it.each([
    [['w_9'], 'jpg', undefined],
    [['q_80:444'], 'jpg', undefined],
    [['q_auto:eco'], 'jpg', 'q_auto:eco: a fixed quality'],
    [['f_auto,q_auto'], 'jpg', 'f_auto: by Accept and transparency; q_auto: a fixed quality'],
    [['w_9'], 'avif', AVIF],
    [['fl_png8'], 'png', 'fl_png8: a palette of libimagequant'],
    [['fl_png24'], 'png', undefined],
    [['fl_lossy'], 'gif', 'fl_lossy: between frames only'],
    [['dn_72'], 'jpg', 'dn: in the header of the file only'],
  ])('is reported for %j as %s', async (chain, format, header) => {
    const { headers } = await render(photo, [...chain, 'w_8'], { format });
    expect(headers['X-Pixseal-Approximate']).toBe(header);
  });

  it.each([
    ['opaque', '#123', 'image/jpeg', undefined],
    ['transparent', '#12345678', 'image/png', 'fl_lossy: a palette of libimagequant'],
  ])('a lossy PNG that is %s', async (_, background, contentType, header) => {
    const png = await sharp({ create: { width: 9, height: 9, channels: 4, background } })
      .png()
      .toBuffer();
    const response = await render(png, ['fl_lossy', 'w_8'], { format: 'png' });
    expect([response.contentType, response.headers['X-Pixseal-Approximate']]).toEqual([contentType, header]);
  });
});
