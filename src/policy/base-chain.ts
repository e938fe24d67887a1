import { pathOf, valuesOfComponent } from '../transformations/component.js';

/** The seed's. The third component is verbatim: not in the SDK's order. */
export const DEFAULT_BASE_CHAIN: readonly string[] = [
  'c_fit,h_1920,w_1920',
  'fl_attachment',
  'dpr_auto,q_auto,f_auto',
];

/** Components in their final spelling, and the same as they stand in a URL: each with a `/` behind it. */
export interface ChainPart {
  readonly components: readonly string[];
  readonly path: string;
}

/** What comes before any of a token's steps, in each of the four ways a token may ask for. */
export interface BaseChain {
  readonly attached: ChainPart;
  readonly inline: ChainPart;
  readonly original: ChainPart;
  readonly originalInline: ChainPart;
}

/** @param components In their final spelling. What attaches is `fl_attachment` among them, whatever its file name. */
export function makeBaseChain(components: readonly string[]): BaseChain {
  const attachment = components.flatMap((component) => flagsOf(component).filter(isAttachment)).at(-1);
  return {
    attached: makePart(components),
    inline: makePart(components.map(withoutAttachment).filter((component) => component !== '')),
    original: makePart(attachment === undefined ? [] : [`fl_${attachment}`]),
    originalInline: makePart([]),
  };
}

const makePart = (components: readonly string[]): ChainPart => ({
  components,
  path: pathOf(components),
});

/** What a request without a token gets. */
const WITHOUT_TOKEN = { download: true, original: false };

/**
 * @param claims Null without a token. `download` of false leaves `fl_attachment` out: the picture is shown, not saved.
 * `original` of true is the original alone, without the base transformations.
 */
export function selectBaseChain(
  chain: BaseChain,
  claims: { readonly download: boolean; readonly original: boolean } | null,
): ChainPart {
  const { download, original } = claims ?? WITHOUT_TOKEN;
  if (original) return download ? chain.original : chain.originalInline;
  return download ? chain.attached : chain.inline;
}

const isAttachment = (flag: string): boolean => flag === 'attachment' || flag.startsWith('attachment:');

function flagsOf(component: string): readonly string[] {
  return valuesOfComponent(component).get('fl')?.split('.') ?? [];
}

function withoutAttachment(component: string): string {
  const parameters = component.split(',').map((parameter) => {
    if (!parameter.startsWith('fl_')) return parameter;
    const kept = flagsOf(parameter).filter((flag) => !isAttachment(flag));
    return kept.length === 0 ? '' : `fl_${kept.join('.')}`;
  });
  return parameters.filter((parameter) => parameter !== '').join(',');
}
