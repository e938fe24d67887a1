// Figures as SVG files of docs/performance, drawn by Observable Plot on a document without a browser.
import { mkdirSync, writeFileSync } from 'node:fs';
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

const FOLDER = new URL('../docs/performance/', import.meta.url);
const { document } = parseHTML('<!doctype html><html><body></body></html>');
const STYLE = { background: 'white', fontFamily: 'system-ui, sans-serif', fontSize: '13px', color: '#222' };

/**
 * One plot: what is measured over what grows, a line and dots for each series.
 * @param {string} name Of the file.
 * @param {{ title: string, x: object, y: object, points: { x: number, y: number, series: string }[] }} figure `x` and
 * `y` are Plot's scales.
 */
export function drawLines(name, { title, x, y, points }) {
  const names = [...new Set(points.map(({ series }) => series))];
  writeSvg(
    name,
    Plot.plot({
      document,
      style: STYLE,
      width: 800,
      height: 360,
      marginLeft: 70,
      marginRight: 230,
      marginTop: 60,
      marginBottom: 48,
      x: { grid: true, labelAnchor: 'center', labelArrow: 'none', ...x },
      y: { grid: true, zero: true, labelAnchor: 'center', labelArrow: 'none', ...y },
      color: { scheme: 'Dark2', domain: names },
      marks: [
        Plot.ruleY([0]),
        Plot.lineY(points, { x: 'x', y: 'y', stroke: 'series', strokeWidth: 2 }),
        Plot.dot(points, { x: 'x', y: 'y', fill: 'series', r: 4 }),
        Plot.text([title], { frameAnchor: 'top-left', dx: -60, dy: -52, fontSize: 17, fontWeight: 'bold' }),
        // Plot's own legend is HTML beside the drawing, and would not be in the file.
        ...names.map((series, index) =>
          Plot.text([series], {
            fill: () => series,
            frameAnchor: 'top-right',
            textAnchor: 'start',
            lineWidth: 16,
            dx: 16,
            dy: 40 * index,
            fontWeight: 'bold',
          }),
        ),
      ],
    }),
  );
}

const ROW = 17;
const FLAME_WIDTH = 1_400;
const MARGIN = 12;
/** Pixels of a character, about. */
const CHARACTER = 7;
const OWNERS = {
  Pixseal: '#e8853d',
  Nest: '#e9a0b4',
  Fastify: '#a9cf8a',
  'other packages': '#d3c36b',
  Node: '#9fbfe0',
  'V8 and system calls': '#c4c4c4',
};

/**
 * A flame graph, callers below: widths are shares of the time, 0 to 1.
 * @param {{ name: string, place: string, owner: string, left: number, right: number, depth: number }[]} boxes
 */
export function drawFlames(name, title, boxes) {
  const depth = Math.max(...boxes.map((box) => box.depth)) + 1;
  const fits = ({ name, left, right }) => {
    const characters = Math.floor(((right - left) * (FLAME_WIDTH - 2 * MARGIN) - 6) / CHARACTER);
    return characters < 3 ? '' : name.length <= characters ? name : `${name.slice(0, characters - 1)}…`;
  };
  writeSvg(
    name,
    Plot.plot({
      document,
      style: { ...STYLE, fontSize: '11px' },
      width: FLAME_WIDTH,
      height: depth * ROW + 80,
      margin: MARGIN,
      marginTop: 64,
      x: { domain: [0, 1], axis: null },
      y: { domain: [0, depth], axis: null },
      color: { domain: Object.keys(OWNERS), range: Object.values(OWNERS) },
      marks: [
        Plot.rect(boxes, {
          x1: 'left',
          x2: 'right',
          y1: 'depth',
          y2: (box) => box.depth + 1,
          fill: 'owner',
          inset: 0.5,
          title: (box) => `${box.name} ${box.place}\n${(100 * (box.right - box.left)).toFixed(1)} %`,
        }),
        Plot.text(boxes, {
          x: 'left',
          y: (box) => box.depth + 0.5,
          text: fits,
          textAnchor: 'start',
          dx: 4,
          fill: '#222',
        }),
        Plot.text([title], { frameAnchor: 'top-left', dy: -56, fontSize: 16, fontWeight: 'bold' }),
        ...Object.keys(OWNERS).map((owner, index) =>
          Plot.text([`■ ${owner}`], {
            fill: () => owner,
            frameAnchor: 'top-left',
            dx: 150 * index,
            dy: -28,
            fontSize: 13,
            fontWeight: 'bold',
          }),
        ),
      ],
    }),
  );
}

/** Writes a drawing as a file of its own. */
export function writeSvg(name, svg) {
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(new URL(`${name}.svg`, FOLDER), `${svg.outerHTML}\n`);
}
