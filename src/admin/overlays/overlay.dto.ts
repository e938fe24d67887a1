import { CreateAssetDto, DELIVERY_TYPE, UpdateAssetDto } from '../assets/asset.dto.js';
import { BooleanMember, EnumMember, PublicIdMember } from '../requests/members.js';
import type { DeliveryType } from '../../domain/image.js';

const LAYER = {
  description:
    'The public id of the original in Cloudinary, without an extension; of a font file, with its `.ttf`, `.otf` or `.woff2`.',
  overlay: true,
} as const;
const SHARED = {
  description:
    'Whether mandatory steps and presets of all issuers of its account may use it. Tokens of other issuers cannot.',
  optional: true,
} as const;

export class CreateOverlayDto extends CreateAssetDto {
  @PublicIdMember(LAYER)
  public_id!: string;

  @EnumMember({
    ...DELIVERY_TYPE,
    description: `${DELIVERY_TYPE.description} Of a font file: \`authenticated\`, which is then the default.`,
    optional: true,
    default: 'private',
  })
  delivery_type?: DeliveryType;

  @BooleanMember({ ...SHARED, default: false })
  shared?: boolean;
}

export class UpdateOverlayDto extends UpdateAssetDto {
  @PublicIdMember({ ...LAYER, optional: true })
  public_id?: string;

  @BooleanMember(SHARED)
  shared?: boolean;
}
