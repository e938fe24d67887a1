const BOUNDED = 'c_fit,h_1920,w_1920';
const ATTACHMENT = 'fl_attachment';
/** Verbatim, as the seed has it: not in the SDK's order. */
const AUTOMATIC = 'dpr_auto,q_auto,f_auto';

const BASE_CHAIN: readonly string[] = [BOUNDED, ATTACHMENT, AUTOMATIC];
const BASE_CHAIN_INLINE: readonly string[] = [BOUNDED, AUTOMATIC];
const ORIGINAL: readonly string[] = [ATTACHMENT];
const ORIGINAL_INLINE: readonly string[] = [];

/**
 * The components before any of the token's steps (design §1).
 * @param download False leaves `fl_attachment` out: the picture is shown, not saved.
 * @param original True is the original alone, without the base transformations.
 */
export function baseChain({
  download,
  original,
}: {
  readonly download: boolean;
  readonly original: boolean;
}): readonly string[] {
  if (original) return download ? ORIGINAL : ORIGINAL_INLINE;
  return download ? BASE_CHAIN : BASE_CHAIN_INLINE;
}
