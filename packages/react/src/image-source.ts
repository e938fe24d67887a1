/** The URLs of one image, which contain tokens and no secret: plain JSON, to send from the server to a page. */
export interface ImageSource {
  /** The widest URL, for browsers that do not read `srcSet`. */
  readonly src: string;
  /** A URL with a token of its own for each width. */
  readonly srcSet: string;
  /** The greatest width, in CSS pixels: with `height` it reserves the space before the image is loaded. */
  readonly width: number;
  /** Set only if an aspect ratio was requested. */
  readonly height?: number;
}
