import { CreateAssetDto, DELIVERY_TYPE, PUBLIC_ID, UpdateAssetDto } from '../assets/asset.dto.js';
import { EnumMember, PublicIdMember } from '../requests/members.js';
import type { DeliveryType } from '../../domain/image.js';

const LAYER = { ...PUBLIC_ID, overlay: true } as const;

export class CreateOverlayDto extends CreateAssetDto {
  @PublicIdMember(LAYER)
  public_id!: string;

  @EnumMember({ ...DELIVERY_TYPE, optional: true, default: 'private' })
  delivery_type?: DeliveryType;
}

export class UpdateOverlayDto extends UpdateAssetDto {
  @PublicIdMember({ ...LAYER, optional: true })
  public_id?: string;
}
