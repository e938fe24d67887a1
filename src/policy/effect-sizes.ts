/**
 * Effects after which a picture is as large as before, or smaller (Cloudinary's reference, `e_effect`). Whatever is
 * not here counts as one that can make it larger: `shadow`, `outline`, `shear`, `distort`, `upscale`, `zoompan` and
 * others do. A new effect of the vocabulary is therefore refused under a size limit until it is judged.
 */
export const EFFECTS_THAT_KEEP_THE_SIZE: ReadonlySet<string> = new Set(
  `
  adv_redeye anti_removal art assist_colorblind auto_brightness auto_color auto_contrast auto_enhance
  background_removal bgremoval blackwhite blue blur blur_faces blur_region brightness brightness_hsb cartoonify
  colorize contrast cut_out displace enhance fade fill_light gamma gen_background_replace gen_recolor gen_remove
  gen_replace gradient_fade grayscale green hue improve loop make_transparent mask multiply negate noise oil_paint
  opacity_threshold ordered_dither overlay pixelate pixelate_faces pixelate_region recolor red redeye replace_color
  saturation screen sepia sharpen simulate_colorblind theme tint trim unsharp_mask vibrance viesus_correct vignette
`
    .trim()
    .split(/\s+/),
);
