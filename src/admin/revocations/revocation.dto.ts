import { InstantMember, PatternMember } from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';

// As `readClaims` takes them: any other value could be in no token.
const IDENTIFIER = {
  pattern: /^[^\p{Cc}\p{Cs}]{1,255}$/u,
  message: 'must be text of 1 to 255 characters without control characters',
};
const JTI = { ...IDENTIFIER, description: 'The `jti` of one token.' };
const SESSION_ID = { ...IDENTIFIER, description: 'The `session_id` of many tokens.' };

/** One of `jti` and `session_id`. */
export class CreateRevocationDto {
  @PatternMember({ ...JTI, optional: true })
  jti?: string;

  @PatternMember({ ...SESSION_ID, optional: true })
  session_id?: string;

  @InstantMember({
    description:
      'When the last token it is about has expired by its own `exp`: the revocation may be forgotten from an hour later on. Null: never.',
    optional: true,
  })
  expires_at?: string | null;
}

export class ListRevocationsDto extends PageQueryDto {
  @PatternMember({ ...JTI, description: 'Only the revocation of this `jti`.', optional: true })
  jti?: string;

  @PatternMember({ ...SESSION_ID, description: 'Only the revocation of this `session_id`.', optional: true })
  session_id?: string;
}
