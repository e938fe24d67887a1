import { InstantMember, PatternMember } from '../requests/members.js';
import { PageQueryDto } from '../requests/page.js';

// As `readClaims` accepts them: no token can contain another value.
const IDENTIFIER = {
  pattern: /^[^\p{Cc}\p{Cs}]{1,255}$/u,
  message: 'must be text of 1 to 255 characters without control characters',
};
const JTI = { ...IDENTIFIER, description: 'The `jti` of a token.' };
const SESSION_ID = { ...IDENTIFIER, description: 'The `session_id` of a session’s tokens.' };

/** Exactly one of `jti` and `session_id`. */
export class CreateRevocationDto {
  @PatternMember({ ...JTI, optional: true })
  jti?: string;

  @PatternMember({ ...SESSION_ID, optional: true })
  session_id?: string;

  @InstantMember({
    description:
      'The `exp` of the last token that it revokes: an hour later the revocation may be deleted. Null: it is kept.',
    optional: true,
  })
  expires_at?: string | null;
}

export class ListRevocationsDto extends PageQueryDto {
  @PatternMember({ ...JTI, description: 'Only the revocation with this `jti`.', optional: true })
  jti?: string;

  @PatternMember({
    ...SESSION_ID,
    description: 'Only the revocation with this `session_id`.',
    optional: true,
  })
  session_id?: string;
}
