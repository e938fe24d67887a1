import { PublicIdMember, UuidMember } from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';

export class ListRetainedPublicIdsDto extends PageQueryDto {
  @UuidMember({ description: 'Only rows of this issuer, which may have been deleted.', optional: true })
  issuer_id?: string;

  @PublicIdMember({ description: 'Only rows with this public id.', optional: true })
  public_id?: string;
}
