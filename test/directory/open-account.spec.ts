import { describe, expect, it } from 'vitest';
import { type AccountDefaults, ClosedAccountError, openAccount } from '../../src/directory/open-account.js';
import type { AccountRow, AccountSecretRow } from '../../src/directory/row-queries.js';
import { accountSecretAad, authTokenKeyAad } from '../../src/directory/secret-aads.js';
import { SecretBox } from '../../src/platform/secrets/secret-box.js';
import { makeAccount } from '../support/account.js';

const ID = 'c0ffee00-0000-4000-8000-00000000000a';
const box = new SecretBox([Buffer.alloc(32, 1)]);
const DEFAULTS: AccountDefaults = {
  cloudinary: makeAccount({ cloudName: 'environment', uploadTimeout: 7_000 }),
  authTokenDefaults: { duration: 60, round: 10, withSignature: true },
};
const ROW: AccountRow = {
  id: ID,
  cloud_name: 'cloud',
  host: 'img.example.com',
  private_cdn: true,
  upload_prefix: 'https://api-eu.cloudinary.com',
  signature: 'long',
  auth_token_key: null,
  disabled: false,
};

function makeSecret(name: string, members: Partial<AccountSecretRow> = {}): AccountSecretRow {
  const secret = box.encrypt(Buffer.from(`secret-${name}`), accountSecretAad(ID, name));
  return {
    id: name,
    account_id: ID,
    api_key: `key-${name}`,
    secret,
    signs: false,
    not_after: null,
    ...members,
  };
}
const SIGNING = makeSecret('signing', { signs: true });

const open = (row: Partial<AccountRow> = {}, secrets: readonly AccountSecretRow[] = [SIGNING]): unknown =>
  openAccount({ ...ROW, ...row }, secrets, box, DEFAULTS);

describe('an account of a row', () => {
  it('has its settings, and those of the environment that it has not', () => {
    const notAfter = new Date(1);
    const other = makeSecret('other', { not_after: notAfter });
    const foreign = makeSecret('foreign', { account_id: 'another' });
    const key = 'ab'.repeat(16);
    const authTokenKey = box.encrypt(Buffer.from(key), authTokenKeyAad(ID));
    expect(open({ auth_token_key: authTokenKey }, [other, SIGNING, foreign])).toStrictEqual({
      id: ID,
      cloudName: 'cloud',
      privateCdn: true,
      host: 'img.example.com',
      deliveryBase: 'https://img.example.com',
      apiKey: 'key-signing',
      apiSecret: 'secret-signing',
      otherSecrets: [{ apiKey: 'key-other', apiSecret: 'secret-other', notAfter }],
      uploadPrefix: 'https://api-eu.cloudinary.com',
      uploadTimeout: 7_000,
      signature: 'long',
      authToken: { key, duration: 60, round: 10, withSignature: true },
    });
    expect(open()).toMatchObject({ authToken: null, otherSecrets: [] });
  });

  it.each<[what: string, row: Partial<AccountRow>, secrets: readonly AccountSecretRow[]]>([
    ['is disabled', { disabled: true }, [SIGNING]],
    ['has the cloud of the environment', { cloud_name: 'Environment' }, [SIGNING]],
    ['has no secret', {}, []],
    ['has no secret that signs', {}, [makeSecret('other')]],
    ['has a secret of another row', {}, [{ ...makeSecret('other'), id: 'signing', signs: true }]],
    [
      'has another secret that cannot be decrypted',
      {},
      [SIGNING, { ...makeSecret('other'), secret: Buffer.alloc(40) }],
    ],
    ['has a token key of another place', { auth_token_key: SIGNING.secret }, [SIGNING]],
  ])('is closed if it %s', (_, row, secrets) => {
    expect(() => open(row, secrets)).toThrow(ClosedAccountError);
  });
});
