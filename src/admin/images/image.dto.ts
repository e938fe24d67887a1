import { IntersectionType, OmitType, PartialType, PickType } from '@nestjs/swagger';
import {
  EnumMember,
  IntegerMember,
  InstantMember,
  PatternMember,
  PublicIdMember,
} from '../requests/members.js';
import {
  CreateAssetDto,
  DELIVERY_TYPE,
  ListAssetsDto,
  PUBLIC_ID,
  UpdateAssetDto,
} from '../assets/asset.dto.js';
import {
  IMAGE_ACCESSES,
  IMAGE_STATES,
  MAX_VERSION,
  type DeliveryType,
  type ImageAccess,
  type ImageState,
} from '../../domain/image.js';

const VERSION = {
  description: 'The original’s version in Cloudinary, as its upload returned it.',
  min: 1,
  max: MAX_VERSION,
};
const FORMAT = {
  description:
    'The original’s format: the extension of its URLs if the issuer’s `delivery_format` is `original`.',
  pattern: /^[a-z0-9]{1,10}$/,
  message: 'must be 1 to 10 lower-case letters and digits',
};
const ACCESS = {
  description: '`token`: requires a signed token; `public`: also without one.',
  values: IMAGE_ACCESSES,
};

export class CreateImageDto extends CreateAssetDto {
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

/** A form with the original: `version` defaults to the time of the upload; Cloudinary sets its own. */
export class CreateImageFormDto extends IntersectionType(
  OmitType(CreateImageDto, ['version']),
  PartialType(PickType(CreateImageDto, ['version'])),
) {}

export class UpdateImageDto extends UpdateAssetDto {
  @PublicIdMember({ ...PUBLIC_ID, optional: true })
  public_id?: string;

  @IntegerMember({ ...VERSION, optional: true })
  version?: number;

  @PatternMember({ ...FORMAT, optional: true })
  format?: string;

  @EnumMember({ ...ACCESS, optional: true })
  access?: ImageAccess;

  @InstantMember({
    description: 'Tokens with an older `iat`, or none, are refused; null: no such limit.',
    optional: true,
  })
  not_before?: string | null;
}

export class ListImagesDto extends ListAssetsDto {
  @EnumMember({
    description: 'Live images, or deleted ones.',
    values: IMAGE_STATES,
    optional: true,
    default: 'live',
  })
  state?: ImageState;
}
