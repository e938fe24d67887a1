/** Where a key's sealed secret lies: what `SecretBox` authenticates with it. */
export function issuerKeyPlace(issuerId: string, keyId: string): readonly string[] {
  return ['issuer_keys.secret', issuerId, keyId];
}
