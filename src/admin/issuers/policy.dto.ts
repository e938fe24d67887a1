import { CheckedMember } from '../requests/members.js';
import type { ClaimProfile } from '../../tokens/claim-names.js';
import { POLICY_MEMBERS } from '../../policy/policy-members.js';
import type {
  Delivery,
  OriginalDelivery,
  PolicyDocument,
  PolicyStep,
  RedirectCache,
} from '../../policy/policy.js';

/** A member of a policy, validated by the table of members. */
const PolicyMember = (name: keyof PolicyDocument): PropertyDecorator =>
  CheckedMember({ ...POLICY_MEMBERS[name], optional: true });

/** What an issuer's tokens may do. An omitted member restricts nothing. */
export class PolicyDto implements PolicyDocument {
  @PolicyMember('base_chain') base_chain?: string[];
  @PolicyMember('allowed_keys') allowed_keys?: string[];
  @PolicyMember('denied_keys') denied_keys?: string[];
  @PolicyMember('allowed_effects') allowed_effects?: string[];
  @PolicyMember('denied_effects') denied_effects?: string[];
  @PolicyMember('allowed_overlays') allowed_overlays?: string[];
  @PolicyMember('allowed_formats') allowed_formats?: string[];
  @PolicyMember('allowed_transformations') allowed_transformations?: string[];
  @PolicyMember('text') text?: false | number;
  @PolicyMember('requests_per_minute') requests_per_minute?: number;
  @PolicyMember('new_pictures_per_day') new_pictures_per_day?: number;
  @PolicyMember('mandatory_steps') mandatory_steps?: PolicyStep[];
  @PolicyMember('presets') presets?: Record<string, PolicyStep[]>;
  @PolicyMember('presets_only') presets_only?: boolean;
  @PolicyMember('max_width') max_width?: number;
  @PolicyMember('max_height') max_height?: number;
  @PolicyMember('max_layers') max_layers?: number;
  @PolicyMember('max_steps') max_steps?: number;
  @PolicyMember('require_exp') require_exp?: boolean;
  @PolicyMember('max_token_age') max_token_age?: number;
  @PolicyMember('require_image_id') require_image_id?: boolean;
  @PolicyMember('redirect_cache') redirect_cache?: RedirectCache;
  @PolicyMember('redirect_max_age') redirect_max_age?: number;
  @PolicyMember('strict') strict?: boolean;
  @PolicyMember('lenient') lenient?: boolean;
  @PolicyMember('claims') claims?: ClaimProfile;
  @PolicyMember('deny_generative_effects') deny_generative_effects?: boolean;
  @PolicyMember('placeholder') placeholder?: string;
  @PolicyMember('original') original?: OriginalDelivery;
  @PolicyMember('delivery') delivery?: Delivery;
  @PolicyMember('bind_ip') bind_ip?: boolean;
}
