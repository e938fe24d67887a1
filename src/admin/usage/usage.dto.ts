import { InstantMember, UuidMember } from '../requests/members.js';

export class ReadUsageDto {
  @UuidMember({ description: 'Only of this issuer; by default the sum of all.', optional: true })
  issuer_id?: string;

  @InstantMember({
    description:
      'Start, rounded down to the hour; by default 24 hours before `to`. At most 7 days before `to`.',
    optional: true,
  })
  from?: string | null;

  @InstantMember({
    description: 'End, rounded up to the hour and not included; by default the end of the current hour.',
    optional: true,
  })
  to?: string | null;
}
