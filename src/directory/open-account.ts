import { type Account, type AccountSecret, deliveryBaseOf } from '../domain/account.js';
import type { Environment } from '../platform/config/environment.js';
import { type SecretBox, SecretBoxError } from '../platform/secrets/secret-box.js';
import { accountSecretAad, authTokenKeyAad } from './secret-aads.js';
import type { AccountRow, AccountSecretRow } from './row-queries.js';

/** What an account's row does not contain. */
export type AccountDefaults = Pick<Environment, 'cloudinary' | 'authTokenDefaults'>;

/** An account that cannot be used now. Names no secret. */
export class ClosedAccountError extends Error {}

/**
 * The account of a row, its secrets decrypted. Pure.
 * @throws ClosedAccountError if the account is disabled, has the cloud of the environment's account, has no secret that
 *   signs, or if one of its secrets or the key of `__cld_token__` cannot be decrypted.
 */
export function openAccount(
  row: AccountRow,
  stored: readonly AccountSecretRow[],
  secretBox: SecretBox,
  { cloudinary, authTokenDefaults }: AccountDefaults,
): Account {
  if (row.disabled) throw new ClosedAccountError('it is disabled');
  // Their images would have two owners: an issuer of each account could register the same asset.
  if (row.cloud_name.toLowerCase() === cloudinary.cloudName.toLowerCase()) {
    throw new ClosedAccountError('its cloud name is that of the account in CLOUDINARY_URL');
  }
  const open = (secret: Buffer, aad: readonly string[]): string => {
    try {
      return secretBox.decrypt(secret, aad).toString();
    } catch (error) {
      if (error instanceof SecretBoxError) throw new ClosedAccountError(error.message);
      throw error;
    }
  };
  const openSecret = (secret: AccountSecretRow): AccountSecret => ({
    apiKey: secret.api_key,
    apiSecret: open(secret.secret, accountSecretAad(row.id, secret.id)),
    notAfter: secret.not_after,
  });
  const secrets = stored.filter(({ account_id: accountId }) => accountId === row.id);
  const signing = secrets.find(({ signs }) => signs);
  if (signing === undefined) throw new ClosedAccountError('none of its secrets signs');
  const { apiKey, apiSecret } = openSecret(signing);
  const delivery = { cloudName: row.cloud_name, privateCdn: row.private_cdn, host: row.host };
  return {
    id: row.id,
    ...delivery,
    deliveryBase: deliveryBaseOf(delivery),
    apiKey,
    apiSecret,
    otherSecrets: secrets.filter(({ signs }) => !signs).map(openSecret),
    uploadPrefix: row.upload_prefix,
    uploadTimeout: cloudinary.uploadTimeout,
    signature: row.signature,
    authToken:
      row.auth_token_key === null
        ? null
        : { key: open(row.auth_token_key, authTokenKeyAad(row.id)), ...authTokenDefaults },
  };
}
