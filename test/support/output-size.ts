/** A picture's sides in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What a chain is tried on. */
export interface Trial {
  readonly original: Size;
  /** Of every layer's asset, and of every text as it is drawn. */
  readonly layer: Size;
  /** What the client says of its window, for `w_auto`. It says nothing of its screen: `dpr_auto` is 1. */
  readonly clientWidth: number;
  /** Whether `a_auto_right` and `a_auto_left` find that the picture lies otherwise than what is asked for. */
  readonly turns: boolean;
}

type Values = ReadonlyMap<string, string>;

/**
 * The size that one original has after a chain, reckoned from the URL's text alone and by the reference
 * (https://cloudinary.com/documentation/transformation_reference): it shares nothing with the code that bounds it.
 */
export function outputSize(chain: readonly string[], trial: Trial): Size {
  const components = chain.map(
    (component): Values =>
      new Map(
        component.split(',').map((parameter) => {
          const at = parameter.indexOf('_');
          return [parameter.slice(0, at), parameter.slice(at + 1)] as const;
        }),
      ),
  );
  return run(trial.original, components, trial, undefined);
}

function run(start: Size, components: readonly Values[], trial: Trial, below: Size | undefined): Size {
  let size = start;
  for (let index = 0; index < components.length; index += 1) {
    const values = components[index] ?? new Map<string, string>();
    if (!values.has('l') && !values.has('u')) {
      size = apply(size, values, trial, below);
      continue;
    }
    const end = closingOf(components, index);
    let layer = apply(trial.layer, values, trial, size);
    if (end !== undefined) {
      layer = run(layer, components.slice(index + 1, end), trial, size);
      layer = apply(layer, components[end] ?? new Map<string, string>(), trial, size);
    }
    const placing = components[end ?? index] ?? values;
    const set = new Set([...flags(values), ...flags(placing)]);
    if (!set.has('no_overflow') && !set.has('tiled')) {
      // A picture lies on its underlay: then it is the one that is placed.
      size = values.has('u') ? cover(layer, size, placing) : cover(size, layer, placing);
    }
    index = end ?? index;
  }
  return size;
}

const flags = (values: Values): readonly string[] => values.get('fl')?.split('.') ?? [];

function closingOf(components: readonly Values[], opening: number): number | undefined {
  let depth = 0;
  for (const [index, values] of components.entries()) {
    if (index < opening) continue;
    if (values.has('l') || values.has('u')) depth += 1;
    if (!flags(values).includes('layer_apply')) continue;
    depth -= 1;
    if (depth === 0) return index === opening ? undefined : index;
  }
  // Layers that nothing closes lie inside: this one's closing is the last that is left over.
  return closesOf(components).get(opening);
}

function closesOf(components: readonly Values[]): ReadonlyMap<number, number> {
  const stack: number[] = [];
  const closes = new Map<number, number>();
  components.forEach((values, index) => {
    if (values.has('l') || values.has('u')) stack.push(index);
    if (!flags(values).includes('layer_apply')) return;
    const opening = stack.pop();
    if (opening !== undefined && opening !== index) closes.set(opening, index);
  });
  return closes;
}

function number(text: string | undefined, whole: number, size: Size, trial: Trial): number | undefined {
  if (text === undefined) return undefined;
  if (/^-?\d+$/.test(text)) return Number(text);
  if (/^-?\d+\.\d+$/.test(text)) return Number(text) * whole;
  if (text.startsWith('auto')) return trial.clientWidth;
  const measures: Readonly<Record<string, number>> = {
    iw: trial.original.width,
    ih: trial.original.height,
    w: size.width,
    h: size.height,
    iar: trial.original.width / trial.original.height,
    ar: size.width / size.height,
  };
  const [first = '1', ...rest] = text.split('_');
  let result = measures[first] ?? (Number(first) || 1);
  for (let at = 0; at + 1 < rest.length; at += 2) {
    const operand = measures[rest[at + 1] ?? ''] ?? (Number(rest[at + 1]) || 1);
    if (rest[at] === 'mul') result *= operand;
    if (rest[at] === 'div') result /= operand;
    if (rest[at] === 'add') result += operand;
    if (rest[at] === 'sub') result -= operand;
    if (rest[at] === 'pow') result **= Math.min(operand, 3);
  }
  return Math.min(Math.max(1, result), 1e7);
}

/** Effects that draw outside of the picture, each generously. */
const GROWING = /^(?:camera|distort|dropshadow|outline|shadow|shear|upscale|vectorize|zoompan|gen_restore)/;

function apply(before: Size, values: Values, trial: Trial, below: Size | undefined): Size {
  const paged = ['pg', 'dn', 't'].some((code) => values.has(code)) ? { width: 5000, height: 7000 } : before;
  const angles = values.get('a')?.split('.') ?? [];
  const isAutomatic = (angle: string): boolean => angle.startsWith('auto_');
  // These turn before the crop; where they do not, they leave the picture as it is.
  const source =
    angles.filter(isAutomatic).length % 2 === 1 && trial.turns
      ? { width: paged.height, height: paged.width }
      : paged;
  const relative = below !== undefined && flags(values).some((flag) => flag.endsWith('relative'));
  let size = resize(source, relative ? below : source, values, trial);
  if (values.has('t')) size = { width: 5000, height: 7000 };
  for (const angle of angles) {
    if (/^[hv]flip$/.test(angle) || isAutomatic(angle)) continue;
    const degrees = /^(?:exif|ignore)/.test(angle) ? 90 : Number.isNaN(Number(angle)) ? 45 : Number(angle);
    const [cos, sin] = [
      Math.abs(Math.cos((degrees * Math.PI) / 180)),
      Math.abs(Math.sin((degrees * Math.PI) / 180)),
    ];
    size = {
      width: size.width * cos + size.height * sin,
      height: size.width * sin + size.height * cos,
    };
  }
  const border = Number(/^(\d+)px/.exec(values.get('bo') ?? '')?.[1] ?? 0);
  const grown =
    GROWING.test(values.get('e') ?? '') || (values.get('e') ?? '').includes('symmetric_pad') ? 2 : 1;
  return {
    width: Math.max(1, Math.round(size.width * grown + 2 * border)),
    height: Math.max(1, Math.round(size.height * grown + 2 * border)),
  };
}

function resize(size: Size, whole: Size, values: Values, trial: Trial): Size {
  const dpr = values.get('dpr') === 'auto' ? 1 : Number(values.get('dpr') ?? 1);
  const mode = values.get('c') ?? 'scale';
  const [askedWidth, askedHeight] = [
    number(values.get('w'), whole.width, size, trial),
    number(values.get('h'), whole.height, size, trial),
  ];
  const ratio = ratioOf(values.get('ar'), size, trial);
  const own = size.width / size.height;
  const isCrop = mode === 'crop';
  if (askedWidth === undefined && askedHeight === undefined && ratio === undefined) return times(size, dpr);
  let box: Size;
  if (askedWidth !== undefined && askedHeight !== undefined) {
    box = { width: askedWidth, height: askedHeight };
  } else if (askedWidth !== undefined) {
    const other = ratio === undefined && isCrop ? size.height : askedWidth / (ratio ?? own);
    box = { width: askedWidth, height: other };
  } else if (askedHeight !== undefined) {
    const other = ratio === undefined && isCrop ? size.width : askedHeight * (ratio ?? own);
    box = { width: other, height: askedHeight };
  } else if (ratio !== undefined && isCrop) {
    box =
      own > ratio
        ? { width: size.height * ratio, height: size.height }
        : { width: size.width, height: size.width / ratio };
  } else {
    // Around the picture: padding makes it larger.
    const r = ratio ?? own;
    box =
      own > r
        ? { width: size.width, height: size.width / r }
        : { width: size.height * r, height: size.height };
  }
  box = times(box, dpr);
  const inside = Math.min(box.width / size.width, box.height / size.height);
  const around = Math.max(box.width / size.width, box.height / size.height);
  switch (mode) {
    case 'fit':
      return times(size, inside);
    case 'limit':
      return times(size, Math.min(inside, 1));
    case 'mfit':
      return times(size, Math.max(inside, 1));
    case 'lfill': {
      const scaled = times(size, Math.min(around, 1));
      return { width: Math.min(scaled.width, box.width), height: Math.min(scaled.height, box.height) };
    }
    case 'mpad':
      return { width: Math.max(size.width, box.width), height: Math.max(size.height, box.height) };
    default:
      return box;
  }
}

function ratioOf(text: string | undefined, size: Size, trial: Trial): number | undefined {
  if (text === undefined) return undefined;
  const [width = '1', height] = text.split(':');
  return height === undefined
    ? /^\d+(?:\.\d+)?$/.test(text)
      ? Number(text)
      : number(text, 1, size, trial)
    : Number(width) / Number(height);
}

const times = ({ width, height }: Size, factor: number): Size => ({
  width: width * factor,
  height: height * factor,
});

/** A canvas that holds the picture and a layer that may stick out of it. */
function cover(picture: Size, layer: Size, values: Values): Size {
  const gravity = values.get('g') ?? 'center';
  const along = (whole: number, part: number, offset: number, start: string, end: string): number => {
    const left = gravity.split('_').includes(start)
      ? offset
      : gravity.split('_').includes(end)
        ? whole - part - offset
        : gravity === 'xy_center'
          ? offset - part / 2
          : /^(?:north|south|east|west|center)/.test(gravity)
            ? (whole - part) / 2 + offset
            : // What is detected may lie at the far edge.
              whole - part / 2 + offset;
    return Math.max(whole, left + part) - Math.min(0, left);
  };
  const trial: Trial = { original: picture, layer, clientWidth: 1, turns: false };
  const x = number(values.get('x'), picture.width, picture, trial) ?? 0;
  const y = number(values.get('y'), picture.height, picture, trial) ?? 0;
  return {
    width: Math.round(along(picture.width, layer.width, x, 'west', 'east')),
    height: Math.round(along(picture.height, layer.height, y, 'north', 'south')),
  };
}
