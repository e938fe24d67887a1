/** Drawings of this project in formats that libvips does not decode. */

/** 64 × 48: red, its right lower quarter blue. By heif-enc (libheif 1.15, x265). */
export const HEIC = Buffer.from(
  'AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAvxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAA' +
    'AAAAAA5waXRtAAAAAAACAAAAGGlkYXQAAAAAAEAAMAAAAAAAQAAwAAAAYGlsb2MBAAAAREAABAABAAAAAAAAAyAAAQAAAAAA' +
    'AAB9AAIAAQAAAAAAAAABAAAAAAAAAAgAAwAAAAAAAAOdAAEAAAAAAAAAFAAEAAEAAAAAAAAAAQAAAAgAAAAIAAAAYmlpbmYA' +
    'AAAAAAQAAAAVaW5mZQIAAAEAAQAAaHZjMQAAAAAVaW5mZQIAAAAAAgAAZ3JpZAAAAAAVaW5mZQIAAAEAAwAAaHZjMQAAAAAV' +
    'aW5mZQIAAAAABAAAZ3JpZAAAAAGxaXBycAAAAYRpcGNvAAAAdmh2Y0MBA3AAAAAAAAAAAAAe8AD8/fj4AAAPAyAAAQAYQAEM' +
    'Af//A3AAAAMAkAAAAwAAAwAeugJAIQABACpCAQEDcAAAAwCQAAADAAADAB6gIIEFlurkprm4EBAwIAAAAwAgAAADACEiAAEA' +
    'BkQBwXPAiQAAABRpc3BlAAAAAAAAAEAAAABAAAAAFGlzcGUAAAAAAAAAQAAAADAAAAAQcGl4aQAAAAADCAgIAAAAcWh2Y0MB' +
    'BAgAAAAAAAAAAAAe8AD8/Pj4AAAPAyAAAQAXQAEMAf//BAgAAAMAn/gAAAMAAB66AkAhAAEAJkIBAQQIAAADAJ/4AAADAAAe' +
    'wIIEFlurkprmwIAAAAMAgAAAAwCEIgABAAZEAcFzwIkAAAAUaXNwZQAAAAAAAABAAAAAQAAAABRpc3BlAAAAAAAAAEAAAAAw' +
    'AAAADnBpeGkAAAAAAQgAAAAnYXV4QwAAAAB1cm46bXBlZzpoZXZjOjIwMTU6YXV4aWQ6MQAAAAAlaXBtYQAAAAAAAAAEAAEC' +
    'gQIAAgIDhAADAoUGAAQDB4iJAAAANmlyZWYAAAAAAAAADmRpbWcAAgABAAEAAAAOZGltZwAEAAEAAwAAAA5hdXhsAAQAAQAC' +
    'AAAAmW1kYXQAAAB5KAGvCeA5IyS///oxv//4Rp5D9rlUSpicQTwM0a//gud3lwP/v0NusT/WE18N2a0LbD0Opm8R2/qnURjr' +
    'v4pZdBO1QiQ8Ysr4Iqjzu3iuQYTV2PcLzOa+iAYB4o9IbHvOI4kPfne6ND+M2tp9+E/i/wOMstk+5R3AgAAAABAoAa4TwGt8' +
    'Q94/xLvT05Fc',
  'base64',
);

/** The same without loss, by cjxl (libjxl 0.7). */
export const JXL = Buffer.from(
  '/wrLwILiQggIEACoAEs4aZjKg/dJKJgAUP9/jPFjfC8XEAEgYKSeg5+UU02dfwFPuVQ19IB1AA==',
  'base64',
);

/** The same as a BMP of 24 bits (Windows' BITMAPINFOHEADER): rows from below, in blue, green, red. */
export function makeBmp(width = 64, height = 48): Buffer {
  const stride = Math.ceil((width * 3) / 4) * 4;
  const file = Buffer.alloc(54 + stride * height);
  file.write('BM', 'latin1');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(54, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(width, 18);
  file.writeInt32LE(height, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const isBlue = x >= width / 2 && y < height / 2;
      file.set(isBlue ? [200, 30, 30] : [30, 30, 200], 54 + y * stride + x * 3);
    }
  }
  return file;
}

/** An ICO of these PNGs. */
export function makeIco(...images: readonly (readonly [side: number, png: Buffer])[]): Buffer {
  const head = Buffer.alloc(6 + 16 * images.length);
  head.writeUInt16LE(1, 2);
  head.writeUInt16LE(images.length, 4);
  let offset = head.length;
  for (const [index, [side, png]] of images.entries()) {
    const at = 6 + 16 * index;
    head.set([side, side, 0, 0, 1, 0, 32, 0], at);
    head.writeUInt32LE(png.length, at + 8);
    head.writeUInt32LE(offset, at + 12);
    offset += png.length;
  }
  return Buffer.concat([head, ...images.map(([, png]) => png)]);
}

/** A PDF of pages in points, each with a red rectangle over its lower left quarter. */
export function makePdf(...pages: readonly (readonly [width: number, height: number])[]): Buffer {
  const objects = pages.flatMap(([width, height], index) => {
    const drawing = `1 0 0 rg 0 0 ${width / 2} ${height / 2} re f`;
    const number = 3 + index * 2;
    return [
      `${number} 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 ${width} ${height}]/Contents ${number + 1} 0 R>>endobj`,
      `${number + 1} 0 obj<</Length ${drawing.length}>>stream\n${drawing}\nendstream endobj`,
    ];
  });
  const kids = pages.map((_, index) => `${3 + index * 2} 0 R`).join(' ');
  return Buffer.from(
    [
      '%PDF-1.4',
      '1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj',
      `2 0 obj<</Type/Pages/Kids[${kids}]/Count ${pages.length}>>endobj`,
      ...objects,
      'trailer<</Root 1 0 R>>\n',
    ].join('\n'),
  );
}

/** An SVG with this content. */
export const makeSvg = (content: string, size = 'width="64" height="48"'): Buffer =>
  Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ${size}>${content}</svg>`,
  );
