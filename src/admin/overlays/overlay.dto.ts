import { EnumMember, PublicIdMember, UuidMember } from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';
import { DELIVERY_TYPES, type DeliveryType } from '../../domain/image.js';

const PUBLIC_ID = {
  description: 'The public id of the original in Cloudinary, without an extension.',
  overlay: true,
} as const;
const DELIVERY_TYPE = { description: 'Cloudinary’s `type` of the original.', values: DELIVERY_TYPES };

export class CreateOverlayDto {
  @UuidMember({ description: 'Generated if omitted.', optional: true })
  id?: string;

  @UuidMember({ description: 'The issuer whose tokens can use it.' })
  issuer_id!: string;

  @PublicIdMember(PUBLIC_ID)
  public_id!: string;

  @EnumMember({ ...DELIVERY_TYPE, optional: true, default: 'private' })
  delivery_type?: DeliveryType;
}

export class UpdateOverlayDto {
  @PublicIdMember({ ...PUBLIC_ID, optional: true })
  public_id?: string;

  @EnumMember({ ...DELIVERY_TYPE, optional: true })
  delivery_type?: DeliveryType;
}

export class ListOverlaysDto extends PageQueryDto {
  @UuidMember({ description: 'Only rows of this issuer.', optional: true })
  issuer_id?: string;

  @PublicIdMember({ description: 'Only rows with this public id.', optional: true })
  public_id?: string;
}
