/** Where a key's sealed secret lies: what `SecretBox` authenticates with it. */
export function issuerKeyAad(issuerId: string, keyId: string): readonly string[] {
  return ['issuer_keys.secret', issuerId, keyId];
}
