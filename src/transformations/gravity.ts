import { anyOf, matching, oneOf, words } from './grammar.js';

const COMPASS = words('north_west north north_east west center east south_west south south_east');

const SPECIAL = words(`
  adv_eyes adv_face adv_faces body body:face cld-decompose_tile custom custom:face custom:faces
  custom:adv_face custom:adv_faces face face:auto face:center faces faces:auto faces:center liquid
  ocr_text xy_center
`);

/**
 * Objects that a crop can focus on: the 80 of COCO, which Cloudinary's content analysis recognizes by name, and those of
 * `FocusOn` in `@cloudinary/url-gen`. Its other models have thousands; use `auto:<object>` for them.
 */
const OBJECTS = words(`
  aeroplane airplane apple background backpack banana baseball_bat baseball_glove bear bed bench bicycle bird boat book
  bottle bowl broccoli bus cake car carrot cat cell_phone chair clock couch cow cup dining_table
  diningtable
  dog donut elephant fire_hydrant fork frisbee giraffe hair_drier handbag horse hot_dog keyboard
  kite knife laptop microwave motorbike motorcycle mouse orange oven parking_meter person pizza potted_plant
  pottedplant
  refrigerator remote sandwich scissors sheep sink skateboard skis snowboard sofa spoon sports_ball
  stop_sign suitcase surfboard teddy_bear tennis_racket tie toaster toilet toothbrush
  traffic_light train truck tv tvmonitor umbrella vase wine_glass zebra
`);

const OBJECT = `(?:${OBJECTS.join('|')})`;
const FOCUS = '[a-z0-9][a-z0-9_-]{0,40}';

/** The focus of a crop, and the position of a layer. */
export const gravity = anyOf(
  oneOf(...COMPASS, ...SPECIAL),
  oneOf('object', ...OBJECTS),
  matching(
    new RegExp(`^${OBJECT}(?::${OBJECT}){0,5}(?::auto(?::${FOCUS}){0,6})?$`),
    'up to 6 of these objects after each other, and then `auto` with its own, joined by colons',
    ['cat:dog', 'dog:auto:bird', 'cat:dog:auto:microwave_30:bicycle_avoid'],
  ),
  matching(
    new RegExp(`^auto(?::${FOCUS}){0,6}$`),
    '`auto`, with algorithms, focal gravities, objects, `aoi_x_y_w_h`, 0 to 100 or `thirds_0` after colons',
    [
      'auto',
      'auto:face',
      'auto:subject',
      'auto:cat',
      'auto:dog:cat_avoid',
      'auto:aoi_420_230_330_160',
      'auto:0:thirds_0',
    ],
  ),
  matching(/^clipping_path_![A-Za-z0-9_-]{1,60}!$/, '`clipping_path_!<name>!`', ['clipping_path_!front!']),
);
