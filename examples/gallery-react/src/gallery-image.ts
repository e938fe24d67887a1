import type { ImageSource } from '@pixseal/react';

/** One image as the server sends it to the page. */
export interface GalleryImage {
  readonly id: string;
  /** A text for those who do not see the image. */
  readonly alt: string;
  readonly source: ImageSource;
}
