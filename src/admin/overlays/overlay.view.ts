import { ApiProperty } from '@nestjs/swagger';
import type { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';
import { AssetView } from '../assets/asset.view.js';
import { PageViewOf } from '../requests/page.view.js';

/** An overlay in the admin API. */
export class OverlayView extends AssetView {
  @ApiProperty({
    description: 'Whether mandatory steps and presets of all issuers of its account may use it.',
  })
  readonly shared: boolean;

  constructor(row: OverlayEntity) {
    super(row);
    this.shared = row.shared;
  }
}

export class OverlayPageView extends PageViewOf(OverlayView) {}
