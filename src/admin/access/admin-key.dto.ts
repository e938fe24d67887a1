import { SCOPES, type Scope } from '../../platform/actor/actor.js';
import { EnumListMember, InstantMember, TextMember, UuidMember } from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';

export class CreateAdminKeyDto {
  @TextMember({ description: 'Its owner or purpose.', max: 200 })
  name!: string;

  @EnumListMember({ description: '`read`: GET; `write`: everything else.', values: SCOPES })
  scopes!: Scope[];

  @UuidMember({
    description: 'Binds it to this issuer: it can access only that issuer’s rows.',
    optional: true,
  })
  issuer_id?: string;

  @InstantMember({ description: 'When it expires; null: never.', optional: true })
  expires_at?: string | null;
}

export class ListAdminKeysDto extends PageQueryDto {
  @UuidMember({ description: 'Only keys bound to this issuer.', optional: true })
  issuer_id?: string;
}
