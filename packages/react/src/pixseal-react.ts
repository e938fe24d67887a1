/** `@pixseal/react`: the component, for servers and browsers. It signs nothing: `@pixseal/react/server` does. */
import { createElement, type ComponentPropsWithoutRef, type ReactElement } from 'react';
import type { ImageSource } from './image-source.js';

export type { ImageSource } from './image-source.js';

/** The props of an `<img>`, but that `source` has its URLs and size. */
export interface PixsealImageProps extends Omit<
  ComponentPropsWithoutRef<'img'>,
  'src' | 'srcSet' | 'width' | 'height'
> {
  /** What `signImage` of `@pixseal/react/server` returned. */
  readonly source: ImageSource;
  /** A text for those who do not see the image; empty for decoration. */
  readonly alt: string;
  /** How wide the page shows the image, such as `(min-width: 60rem) 33vw, 100vw`. Default: `100vw`. */
  readonly sizes?: string;
}

/**
 * Renders an `<img>` with `srcset` and `sizes`, loaded lazily by default. It has no state, so that it is a server
 * component too.
 */
export function PixsealImage({ source, sizes = '100vw', alt, ...rest }: PixsealImageProps): ReactElement {
  const { src, srcSet, width, height } = source;
  // `src` last: Safari starts to load it before it has read the attributes that follow.
  return createElement('img', {
    loading: 'lazy',
    decoding: 'async',
    ...rest,
    alt,
    // Without an aspect ratio the height is unknown, and a width alone would stop the image from filling its box.
    ...(height === undefined ? {} : { width, height }),
    sizes,
    srcSet,
    src,
  });
}
