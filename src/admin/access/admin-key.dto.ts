import { SCOPES, type Scope } from '../../platform/actor/actor.js';
import { EnumListMember, InstantMember, TextMember, UuidMember } from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';

export class CreateAdminKeyDto {
  @TextMember({ description: 'Who has it, or what for.', max: 200 })
  name!: string;

  @EnumListMember({ description: '`read`: GET; `write`: everything else.', values: SCOPES })
  scopes!: Scope[];

  @UuidMember({
    description: 'Binds it to this issuer: its keys, images and overlays are all it sees and changes.',
    optional: true,
  })
  issuer_id?: string;

  @InstantMember({ description: 'It ends at this moment; null: when it is revoked.', optional: true })
  expires_at?: string | null;
}

export class ListAdminKeysDto extends PageQueryDto {
  @UuidMember({ description: 'Only keys that are bound to this issuer.', optional: true })
  issuer_id?: string;
}
