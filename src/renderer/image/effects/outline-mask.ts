/** Means "no shape nearby"; finite, since infinities would give NaN below. */
const FAR = 1e20;

/** The lower envelope of parabolas: squared distances along one line (Felzenszwalb and Huttenlocher, 2012). */
function transformLine(line: Float64Array, length: number, out: Float64Array): void {
  const vertices = new Int32Array(length);
  const bounds = new Float64Array(length + 1);
  let last = 0;
  bounds[0] = -FAR;
  bounds[1] = FAR;
  const crossing = (one: number, other: number): number =>
    ((line[one] ?? 0) + one * one - ((line[other] ?? 0) + other * other)) / (2 * one - 2 * other);
  for (let at = 1; at < length; at += 1) {
    let cross = crossing(at, vertices[last] ?? 0);
    while (last > 0 && cross <= (bounds[last] ?? 0)) {
      last -= 1;
      cross = crossing(at, vertices[last] ?? 0);
    }
    last += 1;
    vertices[last] = at;
    bounds[last] = cross;
    bounds[last + 1] = FAR;
  }
  let use = 0;
  for (let at = 0; at < length; at += 1) {
    while ((bounds[use + 1] ?? FAR) < at) use += 1;
    const vertex = vertices[use] ?? 0;
    out[at] = (at - vertex) ** 2 + (line[vertex] ?? 0);
  }
}

/**
 * A shape grown by a disc, with smooth edges: the time does not depend on the radius.
 * @param alpha One byte per pixel.
 * @param radius In pixels.
 */
export function dilated(alpha: Uint8Array, width: number, height: number, radius: number): Uint8Array {
  const squares = new Float64Array(width * height);
  // A half-covered pixel's edge runs through its middle, so its distance to the shape is half a pixel.
  for (let at = 0; at < squares.length; at += 1) {
    const covered = (alpha[at] ?? 0) / 255;
    squares[at] = covered === 0 ? FAR : (1 - covered) ** 2;
  }
  const length = Math.max(width, height);
  const line = new Float64Array(length);
  const out = new Float64Array(length);
  for (let x = 0; x < width; x += 1) {
    for (let y = 0; y < height; y += 1) line[y] = squares[y * width + x] ?? 0;
    transformLine(line, height, out);
    for (let y = 0; y < height; y += 1) squares[y * width + x] = out[y] ?? 0;
  }
  const grown = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    line.set(squares.subarray(y * width, (y + 1) * width));
    transformLine(line, width, out);
    for (let x = 0; x < width; x += 1) {
      const covered = radius + 1 - Math.sqrt(out[x] ?? 0);
      grown[y * width + x] = covered >= 1 ? 255 : covered <= 0 ? 0 : Math.round(covered * 255);
    }
  }
  return grown;
}

/** A shape shrunk by a disc; areas outside the frame are not part of it. */
export function eroded(alpha: Uint8Array, width: number, height: number, radius: number): Uint8Array {
  const margin = Math.ceil(radius) + 1;
  const [wide, high] = [width + 2 * margin, height + 2 * margin];
  const holes = new Uint8Array(wide * high).fill(255);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      holes[(y + margin) * wide + x + margin] = 255 - (alpha[y * width + x] ?? 0);
    }
  }
  const grown = dilated(holes, wide, high, radius);
  const left = new Uint8Array(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      left[y * width + x] = 255 - (grown[(y + margin) * wide + x + margin] ?? 0);
    }
  }
  return left;
}
