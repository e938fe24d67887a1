import { AssetView } from '../assets/asset.view.js';
import { PageViewOf } from '../requests/page.view.js';

/** An overlay in the admin API. */
export class OverlayView extends AssetView {}

export class OverlayPageView extends PageViewOf(OverlayView) {}
