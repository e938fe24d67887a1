import { type Account, deliveryBaseOf } from '../../src/domain/account.js';

/** An account on Cloudinary's shared host. */
export function makeAccount(overrides: Partial<Omit<Account, 'deliveryBase'>> = {}): Account {
  const account = {
    id: null,
    cloudName: 'demo',
    privateCdn: false,
    host: null,
    apiKey: '1',
    apiSecret: 'b5mNqz_Tt0Nn1EaWv9uQyS2xkRg',
    otherSecrets: [],
    signature: 'sha1' as const,
    authToken: null,
    uploadPrefix: 'https://api.cloudinary.com',
    uploadTimeout: 60_000,
    ...overrides,
  };
  return { ...account, deliveryBase: deliveryBaseOf(account) };
}
