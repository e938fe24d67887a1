/** The location of an issuer key's encrypted secret, which `SecretBox` authenticates with it. */
export function issuerKeyAad(issuerId: string, keyId: string): readonly string[] {
  return ['issuer_keys.secret', issuerId, keyId];
}

/** The location of an account's encrypted API secret. */
export function accountSecretAad(accountId: string, secretId: string): readonly string[] {
  return ['account_secrets.secret', accountId, secretId];
}

/** The location of an account's encrypted key of `__cld_token__`. */
export function authTokenKeyAad(accountId: string): readonly string[] {
  return ['accounts.auth_token_key', accountId];
}
