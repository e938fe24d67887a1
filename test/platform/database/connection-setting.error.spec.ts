import { describe, expect, it } from 'vitest';
import { findConnectionSettingError } from '../../../src/platform/database/connection-setting.error.js';
import { findDatabaseFault } from '../../../src/platform/database/database-fault.js';

const SETTING = { variable: 'DATABASE_URL', hasPassword: true };
const withCode = (code: string, message: string): Error => Object.assign(new Error(message), { code });

describe('an error of a connection', () => {
  it.each([
    [withCode('CERT_HAS_EXPIRED', 'certificate has expired'), 'TLS fails (certificate has expired)'],
    [withCode('CERT_NOT_YET_VALID', ''), 'TLS fails (CERT_NOT_YET_VALID)'],
    [withCode('ERR_SSL_WRONG_VERSION_NUMBER', 'wrong version'), 'TLS fails (wrong version)'],
    [withCode('DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed'), 'does not trust (self-signed)'],
    [withCode('SELF_SIGNED_CERT_IN_CHAIN', 'self-signed'), 'does not trust (self-signed)'],
    [withCode('UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'no issuer'), 'does not trust (no issuer)'],
    [withCode('ERR_TLS_CERT_ALTNAME_INVALID', 'altnames'), 'for another host name (altnames)'],
    [new Error('The server does not support SSL connections'), 'which the server does not offer'],
  ])('about TLS names the setting, and does not stop a running service: %s', (error, text) => {
    expect(findConnectionSettingError(error, SETTING)?.message).toMatch(/^DATABASE_URL /);
    expect(findConnectionSettingError(error, SETTING)?.message).toContain(text);
    expect(findDatabaseFault(error)).toBe('lost');
  });

  it.each([
    [
      withCode('08P01', 'unsupported startup parameter: options'),
      'has a parameter that the connection pooler refuses',
    ],
    [withCode('08P01', 'transaction blocks not allowed in statement pooling mode'), 'in statement mode'],
    [withCode('28000', 'no pg_hba.conf entry for host "h", no encryption'), 'Add sslmode=verify-full'],
    [withCode('28000', 'SSL connection is required.'), 'Add sslmode=verify-full'],
    [
      new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string'),
      'has no password, and the server requires one',
    ],
    [withCode('28P01', 'empty password returned by client'), 'has no password, and the server requires one'],
  ])('that another setting would avoid names it: %s', (error, text) => {
    expect(findConnectionSettingError(error, SETTING)?.message).toContain(text);
  });

  it('of a password that was not set is about the setting', () => {
    const error = withCode('28P01', 'password authentication failed for user "pix"');
    expect(findConnectionSettingError(error, { ...SETTING, hasPassword: false })?.message).toBe(
      'DATABASE_URL has no password, and the server requires one',
    );
  });

  it.each([
    [withCode('ECONNREFUSED', 'connect ECONNREFUSED')],
    [withCode('28P01', 'password authentication failed')],
    [new Error('other')],
    ['no error'],
  ])('that no other setting would avoid is not changed: %s', (error) => {
    expect(findConnectionSettingError(error, SETTING)).toBeNull();
  });
});
