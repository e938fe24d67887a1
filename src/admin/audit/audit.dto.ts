import { PatternMember, TextMember, UuidMember } from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';

export class ListAuditDto extends PageQueryDto {
  @UuidMember({ description: 'Only writes on rows of this issuer.', optional: true })
  issuer_id?: string;

  @PatternMember({
    description: 'Only writes with this action, such as `issuer.create` or `image.update`.',
    pattern: /^[a-z_]{1,32}\.[a-z]{1,16}$/,
    message: 'must be an action such as image.update',
    optional: true,
  })
  action?: string;

  @TextMember({ description: 'Only writes on the row with this id.', max: 300, optional: true })
  row_id?: string;
}
