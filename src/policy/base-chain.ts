import { pathOf, valuesOfComponent } from '../transformations/component.js';
import type { TokenClaims } from '../tokens/token-claims.js';

/** The original API's. The third component is verbatim: not in the SDK's order. */
export const DEFAULT_BASE_CHAIN: readonly string[] = [
  'c_fit,h_1920,w_1920',
  'fl_attachment',
  'dpr_auto,q_auto,f_auto',
];

/** Components in their final spelling, and as part of a URL: each followed by `/`. */
export interface ChainPart {
  readonly components: readonly string[];
  readonly path: string;
}

/** Components with and without the flag that offers the image as a file. */
interface Attachable {
  readonly attached: ChainPart;
  readonly inline: ChainPart;
}

/** The components before a token's steps, in each form that a token can request. */
export interface BaseChain {
  readonly sized: Attachable;
  /** Without the size of the first component; the same object as `sized` if that cannot be omitted. */
  readonly fullSize: Attachable;
  readonly original: Attachable;
}

/**
 * @param components In their final spelling, with `fl_attachment` or without, whatever its file name.
 * @param mayBeFullSize Whether a token can omit the first component's size. Its other parameters stay.
 */
export function createBaseChain(components: readonly string[], mayBeFullSize: boolean): BaseChain {
  const [first = '', ...rest] = components;
  const unsized = withoutSize(first);
  const attachment = components.flatMap((component) => flagsOf(component).filter(isAttachment)).at(-1);
  const sized = makeAttachable(components);
  return {
    sized,
    fullSize: mayBeFullSize && unsized !== first ? makeAttachable([unsized, ...rest]) : sized,
    original: makeAttachable(attachment === undefined ? [] : [`fl_${attachment}`]),
  };
}

const makeAttachable = (components: readonly string[]): Attachable => ({
  attached: createChainPart(components),
  inline: createChainPart(components.map((component) => replaceAttachment(component, null))),
});

/** @param all In their final spelling; empty ones are dropped. */
export function createChainPart(all: readonly string[]): ChainPart {
  const components = all.filter((component) => component !== '');
  return { components, path: pathOf(components) };
}

/** The claims of a request without a token. */
const WITHOUT_TOKEN = { download: true, original: false, fullSize: false, filename: null };

/**
 * @param claims Null without a token. `download` of false omits `fl_attachment`: the image is shown, not saved.
 * `original` of true omits the base transformations. `fullSize` of true omits the first component's size, if the policy
 * allows it. `filename` names the file that `fl_attachment` offers.
 */
export function selectBaseChain(
  chain: BaseChain,
  claims: Pick<TokenClaims, 'download' | 'original' | 'fullSize' | 'filename'> | null,
): ChainPart {
  const { download, original, fullSize, filename } = claims ?? WITHOUT_TOKEN;
  const form = original ? chain.original : fullSize ? chain.fullSize : chain.sized;
  if (!download) return form.inline;
  return filename === null ? form.attached : withFilename(form.attached, filename);
}

function withFilename({ components }: ChainPart, filename: string): ChainPart {
  return createChainPart(
    components.map((component) => replaceAttachment(component, attachmentName(filename))),
  );
}

/** Whether the image is offered as a file. */
export const offersFile = ({ components }: ChainPart): boolean =>
  components.some((component) => flagsOf(component).some(isAttachment));

const LONGEST_NAME = 100;

/** A file's name for `fl_attachment` (flags.ts): without its extension, and `_` for characters that it cannot have. */
function attachmentName(filename: string): string {
  const [...characters] = filename.replace(/(?<=.)\.[A-Za-z][A-Za-z0-9]{0,9}$/s, '');
  return characters
    .slice(0, LONGEST_NAME)
    .map((character) => (character === ' ' ? '%20' : /^[\w!-]$/.test(character) ? character : '_'))
    .join('');
}

const isAttachment = (flag: string): boolean => flag === 'attachment' || flag.startsWith('attachment:');

function flagsOf(component: string): readonly string[] {
  return valuesOfComponent(component).get('fl')?.split('.') ?? [];
}

/** Short codes of parameters of size and crop. */
const RESIZING = new Set(['c', 'w', 'h', 'ar', 'g', 'x', 'y', 'z']);

/** A component without its size; may be empty. */
const withoutSize = (component: string): string =>
  component
    .split(',')
    .filter((parameter) => !RESIZING.has(parameter.slice(0, parameter.indexOf('_'))))
    .join(',');

/** A component whose attachment has another name, or null for none; may be empty. */
function replaceAttachment(component: string, name: string | null): string {
  const replaced = name === null ? [] : [`attachment:${name}`];
  const parameters = component.split(',').map((parameter) => {
    if (!parameter.startsWith('fl_')) return parameter;
    const flags = flagsOf(parameter).flatMap((flag) => (isAttachment(flag) ? replaced : [flag]));
    return flags.length === 0 ? '' : `fl_${flags.join('.')}`;
  });
  return parameters.filter((parameter) => parameter !== '').join(',');
}
