/** The location of a key's encrypted secret, which `SecretBox` authenticates with it. */
export function issuerKeyAad(issuerId: string, keyId: string): readonly string[] {
  return ['issuer_keys.secret', issuerId, keyId];
}
