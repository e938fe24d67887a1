/** How an issuer's claims are read: as Pixseal's, or as those of SharinPix's image tokens as well. */
export const CLAIM_PROFILES = ['pixseal', 'sharinpix'] as const;
export type ClaimProfile = (typeof CLAIM_PROFILES)[number];

/** Names that have an effect under a profile. */
export interface KnownNames {
  readonly claims: readonly string[];
  /** Members of the object `sharinpix`. */
  readonly members: readonly string[];
}

const PIXSEAL: KnownNames = {
  claims: [
    'iss',
    'image_id',
    'transformations',
    'sharinpix',
    'exp',
    'nbf',
    'iat',
    'jti',
    'session_id',
    'max_uses',
    'bind_ip',
  ],
  members: ['download', 'original'],
};

export const KNOWN_NAMES: Readonly<Record<ClaimProfile, KnownNames>> = {
  pixseal: PIXSEAL,
  // https://github.com/SharinPix/apex/blob/master/demo-image-signed/README.md; Apex code writes `Id`.
  sharinpix: {
    claims: [...PIXSEAL.claims, 'id', 'Id'],
    members: [...PIXSEAL.members, 'full_size', 'filename'],
  },
};

/** Words that signers use for a claim, by their plain form: without their effect the token would permit more. */
export const CLAIM_SYNONYMS: ReadonlyMap<string, string> = new Map([
  ...['step', 'steps', 'transform', 'transforms'].map((word) => [word, 'transformations'] as const),
  ...['expat', 'expires', 'expiresat', 'expiresin', 'expiration', 'expiry'].map(
    (word) => [word, 'exp'] as const,
  ),
]);

/**
 * Claims that IANA registers for JSON Web Tokens (https://www.iana.org/assignments/jwt), without those that Pixseal
 * reads. Libraries and gateways add them.
 */
export const REGISTERED_CLAIMS: ReadonlySet<string> = new Set(
  `
  sub aud
  name given_name family_name middle_name nickname preferred_username profile picture website email email_verified
  gender birthdate zoneinfo locale phone_number phone_number_verified address updated_at
  azp nonce auth_time at_hash c_hash acr amr sub_jwk sid _claim_names _claim_sources
  cnf sip_from_tag sip_date sip_callid sip_cseq_num sip_via_branch orig dest mky events toe txn rph
  vot vtm attest origid act scope client_id may_act jcard at_use_nbr div opt vc vp sph
  ace_profile cnonce exi roles groups entitlements token_introspection
  eat_nonce ueid sueids oemid hwmodel hwversion oemboot dbgstat location eat_profile submods uptime bootcount bootseed
  dloas swname swversion manifests measurements measres intuse
  cdniv cdnicrit cdniip cdniuc cdniets cdnistt cdnistd sig_val_claims authorization_details
  verified_claims place_of_birth nationalities birth_family_name birth_given_name birth_middle_name salutation title
  msisdn also_known_as htm htu ath atc sub_id rcd rcdi crn msgi rdap_allowed_purposes rdap_dnt_allowed geohash
  _sd _sd_alg sd_hash status status_list ttl vct
  `
    .trim()
    .split(/\s+/),
);

/**
 * Unregistered claims that are common in tokens and one edit away from a claim that Pixseal reads, or from a parameter
 * of a step (`order` from `border`).
 */
export const COMMON_CLAIMS: ReadonlySet<string> = new Set(
  // `ext` is Ory Hydra's container of custom claims, `uti` Microsoft Entra's token identifier.
  'ext uti lat cat age corp dpi gps ops order reset room side site weight'.split(' '),
);
