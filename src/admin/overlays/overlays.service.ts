import { Injectable } from '@nestjs/common';
import { OverlayNotFoundError } from '../../domain/overlay.errors.js';
import { InvalidRequestError } from '../../domain/request.errors.js';
import type { UploadedFile } from '../../originals/uploaded-file.js';
import { getActor } from '../../platform/actor/actor.js';
import { OverlayEntity } from '../../platform/database/entities/overlay.entity.js';
import { isFont } from '../../transformations/font-file.js';
import { AssetsService, type Columns } from '../assets/assets.service.js';
import { InsufficientScopeError } from '../requests/admin.errors.js';
import type { CreateOverlayDto, UpdateOverlayDto } from './overlay.dto.js';

/** Overlays. Tokens that refer to a deleted one return 404. */
@Injectable()
export class OverlaysService extends AssetsService<OverlayEntity, CreateOverlayDto, UpdateOverlayDto> {
  protected readonly kind = 'overlay';
  protected readonly entity = OverlayEntity;
  protected readonly live = {};
  protected readonly defaults = { deliveryType: 'private', shared: false } as const;

  /**
   * @throws what `AssetsService` throws; InvalidRequestError (422) for a font file that is uploaded or not authenticated;
   *   InsufficientScopeError (403) for a bound key that shares it.
   */
  override async create(dto: CreateOverlayDto, original?: UploadedFile): Promise<OverlayEntity> {
    if (!isFont(dto.public_id)) return super.create(dto, original);
    const { delivery_type: deliveryType = 'authenticated' } = dto;
    if (original !== undefined) throw fault('file', UPLOADED_FONT);
    if (deliveryType !== 'authenticated') throw fault('delivery_type', FONT_TYPE);
    return super.create(Object.assign({}, dto, { delivery_type: deliveryType }));
  }

  /** @throws what `create` throws; InsufficientScopeError (403) if a bound key changes what a shared one shows; InvalidRequestError (422) if it would make a font of an image, or the reverse. */
  override async update(id: string, dto: UpdateOverlayDto): Promise<OverlayEntity> {
    const { publicId, deliveryType, shared } = await this.get(id);
    const isReplaced = dto.public_id !== undefined || dto.delivery_type !== undefined;
    if (isReplaced && dto.shared !== false) requireUnbound(shared);
    if (dto.public_id !== undefined && isFont(dto.public_id) !== isFont(publicId)) {
      throw fault('public_id', 'must stay one of an image, or of a font file: register another overlay');
    }
    if (isFont(publicId) && (dto.delivery_type ?? deliveryType) !== 'authenticated') {
      throw fault('delivery_type', FONT_TYPE);
    }
    return super.update(id, dto);
  }

  /** @throws what `AssetsService` throws; InsufficientScopeError (403) as above; InvalidRequestError (422) for a font file. */
  override async replaceOriginal(id: string, original: UploadedFile): Promise<OverlayEntity> {
    const { publicId, shared } = await this.get(id);
    if (isFont(publicId)) throw fault('file', UPLOADED_FONT);
    requireUnbound(shared);
    return super.replaceOriginal(id, original);
  }

  /** @throws OverlayNotFoundError (404) */
  protected requireRow(row: OverlayEntity | null): OverlayEntity {
    if (row === null) throw new OverlayNotFoundError();
    return row;
  }

  protected columnsOf({ shared }: UpdateOverlayDto): Columns<OverlayEntity> {
    requireUnbound(shared === true);
    return { shared };
  }

  protected originalColumns(): object {
    return {};
  }

  protected versionOf(): number {
    return 0;
  }
}

/** What a shared overlay shows concerns other issuers. @throws InsufficientScopeError (403) for a key that is bound to one */
function requireUnbound(isShared: boolean): void {
  if (isShared && getActor().issuerId !== null) throw InsufficientScopeError.ofBoundKey();
}

const UPLOADED_FONT =
  'must be an image: upload a font file to Cloudinary, as `raw` and `authenticated`, and register it';
const FONT_TYPE = 'must be `authenticated`, the only type of which Cloudinary reads a font file';

const fault = (key: string, detail: string): InvalidRequestError =>
  new InvalidRequestError([{ key, detail }]);
