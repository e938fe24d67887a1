import { PatternMember } from '../../admin/requests/members.js';

export class SignInDto {
  @PatternMember({
    description: 'An admin key.',
    pattern: /^[\x21-\x7e]{1,512}$/,
    message:
      'must be an admin key: up to 512 printable ASCII characters without spaces; of secrets.json, only admin_api_key',
  })
  key!: string;
}
