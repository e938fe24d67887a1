import { IntersectionType, OmitType, PartialType, PickType } from '@nestjs/swagger';
import {
  EnumMember,
  IntegerMember,
  InstantMember,
  PatternMember,
  PublicIdMember,
  UuidMember,
} from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';
import {
  DELIVERY_TYPES,
  IMAGE_ACCESSES,
  IMAGE_STATES,
  MAX_VERSION,
  type DeliveryType,
  type ImageAccess,
  type ImageState,
} from '../../domain/image.js';

const PUBLIC_ID = { description: 'Of the original in Cloudinary, without an extension.' };
const VERSION = {
  description: 'Of the original in Cloudinary, as its upload answered.',
  min: 1,
  max: MAX_VERSION,
};
const FORMAT = {
  description: 'Of the original, for the record.',
  pattern: /^[a-z0-9]{1,10}$/,
  message: 'must be 1 to 10 lower-case letters and digits',
};
const DELIVERY_TYPE = { description: 'Cloudinary’s `type` of the original.', values: DELIVERY_TYPES };
const ACCESS = {
  description: '`token`: with a sealed token only; `public`: also without.',
  values: IMAGE_ACCESSES,
};

export class CreateImageDto {
  @UuidMember({ description: 'Made where absent.', optional: true })
  id?: string;

  @UuidMember({ description: 'Whose tokens open it.' })
  issuer_id!: string;

  @PublicIdMember(PUBLIC_ID)
  public_id!: string;

  @IntegerMember(VERSION)
  version!: number;

  @PatternMember({ ...FORMAT, optional: true })
  format?: string;

  @EnumMember({ ...DELIVERY_TYPE, optional: true, default: 'authenticated' })
  delivery_type?: DeliveryType;

  @EnumMember({ ...ACCESS, optional: true, default: 'token' })
  access?: ImageAccess;
}

/** A form with the original: its version is the time of the upload where absent, and Cloudinary's where it has it. */
export class CreateImageFormDto extends IntersectionType(
  OmitType(CreateImageDto, ['version']),
  PartialType(PickType(CreateImageDto, ['version'])),
) {}

export class UpdateImageDto {
  @PublicIdMember({ ...PUBLIC_ID, optional: true })
  public_id?: string;

  @IntegerMember({ ...VERSION, optional: true })
  version?: number;

  @PatternMember({ ...FORMAT, optional: true })
  format?: string;

  @EnumMember({ ...DELIVERY_TYPE, optional: true })
  delivery_type?: DeliveryType;

  @EnumMember({ ...ACCESS, optional: true })
  access?: ImageAccess;

  @InstantMember({
    description: 'Tokens with an older `iat`, or none, do not open it; null: whatever their `iat`.',
    optional: true,
  })
  not_before?: string | null;
}

export class ListImagesDto extends PageQueryDto {
  @UuidMember({ description: 'Only images of this issuer.', optional: true })
  issuer_id?: string;

  @PublicIdMember({ description: 'Only images of this public id.', optional: true })
  public_id?: string;

  @EnumMember({
    description: 'Those that are there, or those that were deleted.',
    values: IMAGE_STATES,
    optional: true,
    default: 'live',
  })
  state?: ImageState;
}
