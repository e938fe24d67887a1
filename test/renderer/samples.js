/**
 * One image per parameter: what the golden images are rendered from, and what the contact sheet shows. Plain
 * JavaScript, since the sheet's script reads it without a build of the tests.
 */

/**
 * @typedef {object} Sample
 * @property {string} name The golden image's file name.
 * @property {readonly string[]} chain Components as they stand in the URL.
 * @property {string} shows What Cloudinary's documentation promises, to be looked for in the image.
 * @property {keyof typeof ORIGINALS | 'missing'} [of] `photo` by default.
 * @property {string} [format] The URL's extension, `png` by default.
 */

/** The images that chains start from, drawn once (src/operations/demo/drawings.ts) and kept: the photo's grain is random. */
export const ORIGINALS = /** @type {const} */ ({
  /** 240 × 160, the sun at (165, 61), a boat left of the middle. */
  photo: 'photo.png',
  /** 100 × 50 with alpha: white strokes with a dark rim. */
  mark: 'mark.png',
  /** Three frames of 60 × 40, each of another hue. */
  film: 'film.gif',
  /** 120 × 80 stored pixels, with the camera's note that it was held upright: turn it by 90 degrees. */
  held: 'held.jpg',
  /** 150 × 70, white: something to write on. */
  paper: 'paper.png',
});

/** @type {(name: string, chain: string, shows: string, rest?: Pick<Sample, 'of' | 'format'>) => Sample} */
const sample = (name, chain, shows, rest = {}) => ({ name, chain: chain.split('/'), shows, ...rest });

/** @type {(name: string, step: string, shows: string) => Sample} */
const effect = (name, step, shows) => sample(`e-${name}`, `c_scale,w_120/${step}`, shows);

/** @type {(name: string, step: string, shows: string) => Sample} */
const layer = (name, step, shows) => sample(`l-${name}`, `c_scale,w_150/${step}`, shows);

/** @type {(name: string, step: string, shows: string) => Sample} */
const text = (name, step, shows) => sample(`t-${name}`, step, shows, { of: 'paper' });

const mark = { of: /** @type {const} */ ('mark') };
const film = { of: /** @type {const} */ ('film') };
const held = { of: /** @type {const} */ ('held') };

/** @type {readonly Sample[]} */
export const SAMPLES = [
  sample('c-scale', 'c_scale,h_100,w_60', 'all of the photo, squeezed'),
  sample('c-scale-one-side', 'w_100', 'all of the photo in its ratio'),
  sample('c-fit', 'c_fit,h_80,w_80', 'all of the photo in its ratio within 80 × 80'),
  sample('c-limit', 'c_limit,h_300,w_90', 'as fit, for a smaller box'),
  sample('c-limit-larger', 'c_limit,h_300,w_300', 'as it was: no enlarging', mark),
  sample('c-mfit', 'c_mfit,h_120,w_140', 'as fit, for a larger box', mark),
  sample('c-fill', 'c_fill,h_90,w_90', 'a square, full, cut left and right'),
  sample('c-fill-west', 'c_fill,g_west,h_90,w_60', 'the left side in full height: no sun'),
  sample('c-fill-east', 'c_fill,g_east,h_90,w_60', 'the right side in full height: the sun'),
  sample('c-lfill', 'c_lfill,h_40,w_300', 'cut to the ratio, not enlarged', mark),
  sample('c-fill-pad', 'b_navy,c_fill_pad,g_auto,h_90,w_60', 'cut a little, padded a little'),
  sample('c-pad', 'b_gold,c_pad,h_90,w_90', 'all of the photo, gold bars above and below'),
  sample('c-pad-north', 'b_gold,c_pad,g_north,h_90,w_90', 'the photo at the top, gold below'),
  sample('c-lpad', 'b_teal,c_lpad,h_90,w_140', 'the mark in its size, teal around', mark),
  sample('c-mpad', 'b_teal,c_mpad,h_30,w_140', 'the mark in its size, teal left and right only', mark),
  sample('c-crop', 'c_crop,g_south_west,h_80,w_90', 'the lower left corner in its size'),
  sample('c-crop-xy', 'c_crop,h_60,w_90,x_120,y_31', 'the sun in the middle'),
  sample('c-crop-xy-center', 'c_crop,g_xy_center,h_60,w_60,x_76,y_105', 'around the boat'),
  sample('c-crop-share', 'c_crop,g_east,h_0.5,w_0.25', 'a quarter of the width, half of the height'),
  sample('c-crop-auto', 'c_crop,g_auto,h_80,w_80', 'what strikes the eye'),
  sample('c-crop-ratio', 'ar_16:9,c_crop,w_120', '16:9, in the middle'),
  sample('c-thumb-zoom', 'c_thumb,h_80,w_80,z_2.5', 'the middle, closer'),
  sample('c-auto', 'c_auto,g_auto,h_90,w_60', 'filled with what strikes the eye'),
  sample('g-face', 'c_fill,g_face,h_40,w_100', 'the top: nothing is detected'),
  sample('w-expression', 'c_scale,h_ih_div_4,w_iw_div_2', 'half as wide, a quarter as high'),
  sample('dpr', 'c_crop,dpr_2.0,g_west,h_40,w_60', 'a window of 60 × 40 in twice the pixels'),
  sample('ignore-ratio', 'fl_ignore_aspect_ratio,w_60', 'squeezed: the height stays'),

  sample('a-20', 'w_100/a_20', 'turned clockwise, transparent corners'),
  sample('a-negative', 'w_100/a_-30,b_navy', 'turned counterclockwise, navy corners'),
  sample('a-90', 'w_100/a_90', 'a quarter turn clockwise: the sky on the right'),
  sample('a-hflip', 'w_100/a_hflip', 'mirrored: the sun on the left'),
  sample('a-vflip', 'w_100/a_vflip', 'upside down'),
  sample('a-vflip-45', 'w_80/a_vflip.45', 'upside down, then turned'),
  sample('a-auto-right', 'a_auto_right,c_fit,h_90,w_60', 'turned to the asked portrait'),
  sample('a-exif', 'w_60', 'turned as the camera was held', held),
  sample('a-ignore', 'a_ignore/w_60', 'as it is stored', held),

  sample('r-20', 'w_100/r_20', 'round corners, transparent'),
  sample('r-max', 'c_fill,h_80,w_80/r_max', 'a disc'),
  sample('r-oval', 'w_100/r_max', 'an oval'),
  sample(
    'r-corners',
    'w_100/r_0:10:20:30',
    'each corner rounder than the one before, clockwise from the top left',
  ),
  sample('o-40', 'w_100/o_40', 'see-through'),
  sample('b-color', 'b_rgb:336699', 'blue behind the mark', mark),
  sample('b-alpha', 'b_rgb:33669980', 'half-transparent blue behind the mark', mark),
  sample('b-auto', 'b_auto,c_pad,h_90,w_60', 'bars in the colour of the edges'),
  sample(
    'b-gradient',
    'b_auto:border_gradient:2:vertical,c_pad,h_90,w_180',
    'bars from one colour of the edges above to another below',
  ),
  sample(
    'b-gradient-palette',
    'b_auto:predominant_gradient:4:palette_crimson_gold_navy_teal,c_pad,h_150,w_180',
    'each corner in a colour of the palette',
  ),
  sample('b-blurred', 'b_blurred:200:-20,c_pad,h_90,w_60', 'bars of the photo itself, blurred and darker'),
  sample('bo-solid', 'w_100/bo_5px_solid_crimson', 'a red line around, 5 pixels'),
  sample('bo-round', 'w_100/bo_4px_solid_rgb:00aaff,r_30', 'a blue line along round corners'),

  sample('q-5', 'q_5,w_100', 'blocks of 8 pixels', { format: 'jpg' }),
  sample('q-100-444', 'q_100:444,w_100', 'hardly a difference', { format: 'jpg' }),
  sample('q-auto-low', 'q_auto:low,w_100', 'a little coarser', { format: 'jpg' }),
  sample('f-jpg', 'f_jpg', 'white behind the mark', mark),
  sample('f-webp', 'f_webp,w_100/r_20', 'as PNG, alpha kept'),
  sample('f-avif', 'f_avif,w_100/r_20', 'as PNG, alpha kept'),
  sample('f-gif', 'f_gif,w_100', 'a palette of 256 colours'),
  sample('f-tiff', 'f_tiff,w_100', 'as PNG'),
  sample('fl-png8', 'fl_png8,w_100', 'a palette'),
  sample('fl-png24', 'fl_png24', 'white behind the mark', mark),
  sample('fl-preserve', 'fl_preserve_transparency', 'not flattened: a PNG', { ...mark, format: 'jpg' }),
  sample('fl-progressive', 'fl_progressive,w_100', 'as JPEG', { format: 'jpg' }),
  sample('film-gif', 'w_40', 'three frames', { ...film, format: 'gif' }),
  sample('film-webp', 'fl_awebp,w_40', 'three frames', { ...film, format: 'webp' }),
  sample('pg-2', 'pg_2', 'the second frame', film),
  sample('d-default', 'd_mark', 'the mark, for want of an original', { of: 'missing' }),

  effect('grayscale', 'e_grayscale', 'no colour'),
  effect('blackwhite', 'e_blackwhite:40', 'black and white only'),
  effect('sepia', 'e_sepia', 'brown'),
  effect('negate', 'e_negate', 'a negative'),
  effect('brightness', 'e_brightness:50', 'lighter'),
  effect('brightness-hsb', 'e_brightness_hsb:-50', 'darker'),
  effect('contrast', 'e_contrast:70', 'more contrast'),
  effect('contrast-linear', 'e_contrast:50:linear', 'half the contrast'),
  effect('saturation', 'e_saturation:100', 'stronger colours'),
  effect('saturation-less', 'e_saturation:-70', 'paler colours'),
  effect('hue', 'e_hue:60', 'other hues'),
  effect('gamma', 'e_gamma:100', 'lighter in the darks'),
  effect('vibrance', 'e_vibrance:100', 'stronger pale colours'),
  effect('red', 'e_red:80', 'redder'),
  effect('green', 'e_green:-80', 'less green: purple'),
  effect('blue', 'e_blue:100', 'bluer'),
  effect('colorize', 'co_rgb:00c080,e_colorize:60', 'under a green haze'),
  effect('tint', 'e_tint:100:navy:gold', 'darks navy, lights gold'),
  effect('recolor', 'e_recolor:0:0:1:0:1:0:1:0:0', 'red and blue exchanged'),
  effect('colorblind', 'e_simulate_colorblind:tritanopia', 'no blue against yellow'),
  effect('fill-light', 'e_fill_light:100:0', 'lighter shadows'),
  effect('blur', 'e_blur:200', 'out of focus'),
  effect('pixelate', 'e_pixelate:10', 'squares of 10 pixels'),
  effect('sharpen', 'e_sharpen:400', 'harder edges'),
  effect('unsharp-mask', 'e_unsharp_mask:400', 'harder edges, wider'),
  effect('vignette', 'e_vignette:80', 'dark corners'),
  effect('noise', 'e_noise:60', 'grain'),
  effect('auto-contrast', 'e_contrast:40:linear/e_auto_contrast', 'the contrast back'),
  effect('auto-color', 'e_blue:-60/e_auto_color', 'the blue back'),
  effect('auto-brightness', 'e_brightness:-40/e_auto_brightness', 'the light back'),
  effect('improve', 'e_contrast:40:linear/e_improve', 'contrast and colour back'),
  effect('trim', 'b_white,c_lpad,h_100,w_160/e_trim', 'the white around is gone'),
  effect('shadow', 'r_20/co_black,e_shadow:40,x_8,y_8', 'a soft shadow to the lower right'),
  effect('outline', 'r_20/co_crimson,e_outline:outer:6:1', 'a red line around the shape'),
  effect('opacity-threshold', 'o_60/e_opacity_threshold:50', 'opaque again'),
  effect(
    'make-transparent',
    'b_white,c_pad,h_120,w_120/co_white,e_make_transparent:10',
    'the white is gone, not cut off',
  ),
  effect('replace-color', 'e_replace_color:2e8b57:30:7a2f24', 'the red-brown hull is green'),
  effect('blur-region', 'e_blur_region:400,h_40,w_60,x_10,y_30', 'the boat alone out of focus'),
  effect('pixelate-region', 'e_pixelate_region:8,h_0.5,w_0.5,x_0.5', 'squares in the upper right quarter'),
  effect('cartoonify', 'e_cartoonify:50:60', 'even areas with dark lines'),
  effect('cartoonify-bw', 'e_cartoonify:80:bw', 'black and white areas with dark lines'),
  effect('oil-paint', 'e_oil_paint:100', 'strokes of a brush'),
  effect('gradient-fade', 'e_gradient_fade,y_-0.5', 'transparent towards the bottom'),
  effect(
    'gradient-fade-symmetric',
    'b_navy,c_pad,e_gradient_fade:symmetric,h_110,w_120,y_0.4',
    'from navy bars into the photo, above and below',
  ),
  effect(
    'gradient-fade-pad',
    'b_navy,c_pad,e_gradient_fade:symmetric_pad:40,h_110,w_120,x_0.2',
    'navy bars, and navy from the left and right edges',
  ),
  effect(
    'dropshadow',
    'c_lpad,h_110,w_150/e_dropshadow:azimuth_300;elevation_30;spread_60/b_white',
    'a soft shadow to the lower right, on white',
  ),
  effect('distort', 'e_distort:20:10:110:0:120:80:0:70', 'four corners moved, in perspective'),
  effect('distort-arc', 'e_distort:arc:120', 'bent upwards'),
  effect('shear', 'e_shear:20.0:0.0', 'the lower rows to the right'),
  sample('e-fade', 'e_fade:250,w_40', 'from black: the first frames darker', { ...film, format: 'gif' }),
  sample('e-loop', 'e_loop:3,w_40', 'three frames', { ...film, format: 'gif' }),

  layer('center', 'l_mark', 'the mark in the middle'),
  layer(
    'north-east',
    'g_north_east,l_mark,w_60,x_5,y_8',
    'small, in the upper right, 5 and 8 pixels inwards',
  ),
  layer('tiled', 'fl_tiled,l_mark,w_50', 'all over, from the upper left'),
  layer('relative', 'fl_relative,g_south,l_mark,w_0.9', 'at the bottom, nine tenths of the width'),
  layer('opacity', 'b_navy,l_mark,o_50', 'see-through, on half of a navy box'),
  layer('turned', 'a_-30,b_rgb:c0392b,l_mark,w_60', 'turned counterclockwise on red'),
  layer('effect', 'co_gold,e_colorize,l_mark', 'a golden mark'),
  layer(
    'group',
    'l_photo/bo_3px_solid_white,c_fill,h_50,r_max,w_50/fl_layer_apply,g_south_east,x_6,y_6',
    'a disc with a white rim, in the lower right',
  ),
  layer(
    'nested',
    'b_black,l_mark/l_text:Arial_16_bold:PROOF,co_gold/fl_layer_apply,g_south/c_scale,w_80/fl_layer_apply,g_north_west',
    'the mark on black, with PROOF written on it',
  ),
  layer('point', 'b_crimson,g_xy_center,l_mark,w_40,x_103,y_38', 'on red, around the sun'),
  layer('overflow', 'g_east,l_mark,w_60,x_-30', 'half of the mark on a larger canvas'),
  layer('no-overflow', 'fl_no_overflow,g_east,l_mark,w_60,x_-30', 'half of the mark, the rest cut'),
  layer('cutter', 'l_mark,fl_cutter.relative,w_1.0', 'the photo in the shape of the mark'),
  layer('cut-out', 'e_cut_out,fl_relative,l_mark,w_1.0', 'the photo without the shape of the mark'),
  layer(
    'mask',
    'l_photo/c_fill,h_80,w_80/e_blackwhite/fl_layer_apply,e_mask',
    'the photo where the mask is white',
  ),
  layer('multiply', 'l_photo/a_hflip,c_scale,w_150/e_multiply,fl_layer_apply', 'two suns, darker'),
  layer('screen', 'l_photo/a_hflip,c_scale,w_150/e_screen,fl_layer_apply', 'two suns, lighter'),
  layer('overlay', 'l_photo/a_hflip,c_scale,w_150/e_overlay,fl_layer_apply', 'two suns, more contrast'),
  layer('anti-removal', 'e_anti_removal:90,l_mark', 'the mark, uneven'),
  sample('u-photo', 'u_photo,w_140', 'the photo behind the mark', mark),
  sample('u-tiled', 'fl_tiled,u_photo,w_30', 'small photos all over, behind the mark', mark),

  text('plain', 'l_text:Arial_30:Hello', 'Hello in black, in the middle'),
  text('bold', 'co_crimson,l_text:Arial_30_bold:Hello', 'bold and red'),
  text('italic', 'l_text:Times_30_italic:Hello', 'serifs, slanted'),
  text('light', 'l_text:Arial_30_light:Hello', 'thin strokes'),
  text('mono', 'l_text:Courier_24:ilWM', 'letters of one width'),
  text('underline', 'l_text:Arial_30_underline:Hello', 'a line below'),
  text('strikethrough', 'l_text:Arial_30_strikethrough:Hello', 'a line through'),
  text(
    'stroke',
    'bo_3px_solid_navy,co_gold,l_text:Arial_34_bold_stroke:Hello',
    'gold letters with a navy rim',
  ),
  text('letter-spacing', 'l_text:Arial_24_letter_spacing_10:Hello', 'letters wide apart'),
  text('lines', 'l_text:Arial_20_center_line_spacing_8:Two%0Alonger%20lines', 'two lines, centred, apart'),
  text('right', 'l_text:Arial_16_right:Right%0Aaligned%20text', 'flush right'),
  text(
    'wrap',
    'c_fit,l_text:Arial_14:The%20quick%20brown%20fox%20jumps%20over%20it,w_120',
    'broken at 120 pixels',
  ),
  text(
    'justify',
    'c_fit,l_text:Arial_14_justify:The%20quick%20brown%20fox%20jumps%20over%20it,w_120',
    'flush on both sides but for the last line',
  ),
  text('background', 'b_rgb:ffcc00,co_navy,l_text:Arial_24:Hello', 'on a yellow box'),
  text('no-trim', 'b_rgb:ffcc00,fl_text_no_trim,l_text:Arial_24:Hello', 'on a yellow box with room'),
  text('alpha', 'co_rgb:ff000060,l_text:Arial_40_bold:Hello', 'a red veil'),
  text('placed', 'g_south_east,l_text:Arial_18:corner,x_4,y_6', 'in the lower right'),
  text('turned', 'a_20,l_text:Arial_24:Hello', 'turned clockwise'),
  text(
    'unicode',
    'l_text:Arial_20:%C5%BBo%CC%82%20%CE%91%CE%B2%CE%B3%20%D0%94%D0%B0%20%E2%99%A5',
    'Żô Αβγ Да ♥',
  ),
  text('escaped', 'l_text:Arial_14:a%252Cb%252Fc%20%3C%26%3E%20100%25', 'a,b/c <&> 100%'),
  text('tiled', 'co_rgb:00000060,fl_text_no_trim.tiled,l_text:Arial_14:PROOF', 'all over'),
];
