import sharp from 'sharp';

const WIDTH = 2400;
const HEIGHT = 1600;
const HORIZON = 1000;

/** A generated landscape, 2400 × 1600 pixels as JPEG: something to crop, tile and write on. */
export async function drawPhoto(): Promise<Buffer> {
  const grain = await sharp({
    create: {
      width: WIDTH,
      height: HEIGHT,
      channels: 3,
      background: '#808080',
      noise: { type: 'gaussian', mean: 128, sigma: 14 },
    },
  })
    .png({ compressionLevel: 1 })
    .toBuffer();
  return sharp(Buffer.from(landscape()))
    .composite([{ input: grain, blend: 'soft-light' }])
    .jpeg({ quality: 88 })
    .toBuffer();
}

/** The watermark, 400 × 200 pixels as PNG with alpha: a seal and the project's name, drawn without a font. */
export async function drawWatermark(): Promise<Buffer> {
  const star = Array.from({ length: 24 }, (_, index) => {
    const radius = index % 2 === 0 ? 62 : 54;
    const angle = (index * Math.PI) / 12;
    return `${(100 + radius * Math.cos(angle)).toFixed(1)},${(100 + radius * Math.sin(angle)).toFixed(1)}`;
  }).join(' ');
  const letters = [
    'M0,44V0H14Q28,0 28,12T14,24H0',
    'M44,0V44',
    'M60,0L88,44M88,0L60,44',
    'M130,6Q104,-8 104,11T130,31Q132,54 102,38',
    'M148,0H170M148,22H166M148,44H170M148,0V44',
    'M184,44L198,0L212,44M189,30H207',
    'M226,0V44H246',
  ];
  const marks = `
    <polygon points="${star}"/><circle cx="100" cy="100" r="42"/><path d="M80,100L95,116L122,86"/>
    <g transform="translate(180 80) scale(0.82)">${letters.map((path) => `<path d="${path}"/>`).join('')}</g>`;
  return sharp(
    Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200" fill="none"
      stroke-linecap="round" stroke-linejoin="round">
      <g stroke="#000" stroke-opacity="0.35" stroke-width="11">${marks}</g>
      <g stroke="#fff" stroke-opacity="0.85" stroke-width="5">${marks}</g></svg>`),
  )
    .png()
    .toBuffer();
}

function landscape(): string {
  const ridges = [
    { base: 760, height: 260, roughness: 1.3, color: '#8796b8' },
    { base: 850, height: 200, roughness: 2.1, color: '#5f7196' },
    { base: 940, height: 130, roughness: 3.4, color: '#3c4f6e' },
  ].map(({ base, height, roughness, color }, index) => {
    const points = Array.from({ length: 121 }, (_, step) => {
      const x = (step * WIDTH) / 120;
      const wave =
        Math.sin(x / 310 / roughness + index * 2) +
        0.5 * Math.sin((x / 97) * roughness + index) +
        0.2 * Math.sin((x / 23) * roughness);
      return `${x.toFixed(0)},${(base - (height * (wave + 1.2)) / 2.4).toFixed(1)}`;
    });
    return `<polygon fill="${color}" points="0,${HORIZON} ${points.join(' ')} ${WIDTH},${HORIZON}"/>`;
  });
  const ripples = Array.from({ length: 90 }, (_, index) => {
    const depth = index / 90;
    const y = HORIZON + 12 + depth ** 1.6 * 580;
    const x = (index * 877) % WIDTH;
    const width = 60 + depth * 420;
    return `<ellipse cx="${x}" cy="${y.toFixed(0)}" rx="${width.toFixed(0)}" ry="${(1 + depth * 5).toFixed(1)}" fill="#fff" fill-opacity="${(0.16 - depth * 0.1).toFixed(2)}"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}">
    <defs>
      <linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
        <stop offset="0" stop-color="#274b8f"/><stop offset="0.6" stop-color="#e79a6b"/><stop offset="1" stop-color="#ffe2a8"/>
      </linearGradient>
      <linearGradient id="lake" x1="0" y1="0" x2="0" y2="1">
        <stop offset="0" stop-color="#d9a27c"/><stop offset="0.35" stop-color="#4d6a91"/><stop offset="1" stop-color="#14263f"/>
      </linearGradient>
      <radialGradient id="glow"><stop offset="0" stop-color="#fff6d8"/><stop offset="0.25" stop-color="#ffd98a" stop-opacity="0.7"/><stop offset="1" stop-color="#ffd98a" stop-opacity="0"/></radialGradient>
    </defs>
    <rect width="${WIDTH}" height="${HORIZON}" fill="url(#sky)"/>
    <circle cx="1650" cy="610" r="430" fill="url(#glow)"/><circle cx="1650" cy="610" r="88" fill="#fff7df"/>
    ${ridges.join('')}
    <rect y="${HORIZON}" width="${WIDTH}" height="${HEIGHT - HORIZON}" fill="url(#lake)"/>
    ${ripples.join('')}
    <g transform="translate(760 1180)">
      <path d="M-150,0H150L105,46H-110Z" fill="#7a2f24"/><path d="M-150,0H150L146,8H-147Z" fill="#e9d3b4"/>
      <path d="M-6,-8V-300L-132,-24Z" fill="#f7f1e4"/><path d="M10,-8V-250L108,-24Z" fill="#e8ddc6"/>
      <rect x="-4" y="-310" width="8" height="312" fill="#4b3425"/>
    </g></svg>`;
}
