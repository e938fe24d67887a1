import { EnumMember, PublicIdMember, TextMember, UuidMember } from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';
import { DELIVERY_TYPES, type DeliveryType } from '../../domain/image.js';

export const PUBLIC_ID = {
  description: 'The public id of the original in Cloudinary, without an extension.',
};
export const DELIVERY_TYPE = { description: 'Cloudinary’s `type` of the original.', values: DELIVERY_TYPES };

/** What images and overlays are created from. The rules of abstract members differ. */
export abstract class CreateAssetDto {
  @UuidMember({ description: 'Generated if omitted.', optional: true })
  id?: string;

  @UuidMember({ description: 'The issuer whose tokens can use it.' })
  issuer_id!: string;

  abstract public_id: string;
  abstract delivery_type?: DeliveryType;
}

export abstract class UpdateAssetDto {
  abstract public_id?: string;

  @EnumMember({ ...DELIVERY_TYPE, optional: true })
  delivery_type?: DeliveryType;
}

export class ListAssetsDto extends PageQueryDto {
  @UuidMember({ description: 'Only rows of this issuer.', optional: true })
  issuer_id?: string;

  @PublicIdMember({ description: 'Only rows with this public id.', optional: true })
  public_id?: string;

  @TextMember({
    description: 'Only rows whose public id contains this text; upper and lower case are the same.',
    max: 255,
    optional: true,
  })
  search?: string;
}
