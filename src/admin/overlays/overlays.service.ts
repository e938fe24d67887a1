import { Injectable } from '@nestjs/common';
import { OverlayNotFoundError } from '../../domain/overlay.errors.js';
import { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';
import { AssetsService } from '../assets/assets.service.js';
import type { CreateOverlayDto, UpdateOverlayDto } from './overlay.dto.js';

/** Overlays. Tokens that refer to a deleted one return 404. */
@Injectable()
export class OverlaysService extends AssetsService<OverlayEntity, CreateOverlayDto, UpdateOverlayDto> {
  protected readonly kind = 'overlay';
  protected readonly entity = OverlayEntity;
  protected readonly live = {};
  protected readonly defaults = { deliveryType: 'private' } as const;

  /** @throws OverlayNotFoundError (404) */
  protected requireRow(row: OverlayEntity | null): OverlayEntity {
    if (row === null) throw new OverlayNotFoundError();
    return row;
  }

  protected columnsOf(): object {
    return {};
  }

  protected originalColumns(): object {
    return {};
  }

  protected versionOf(): number {
    return 0;
  }
}
