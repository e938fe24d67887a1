import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  EnvironmentError,
  readEnvironment,
  type Environment,
} from '../../src/platform/config/environment.js';
import { TEST_VARIABLES } from '../support/service.js';
import { readDefaultPolicy } from '../../src/policy/recommended-policy.js';

function read(variables: Record<string, string>): Environment {
  return readEnvironment(
    { ...TEST_VARIABLES, DATABASE_URL: 'postgres://127.0.0.1/x', ...variables },
    () => {
      throw new Error('no embedded secrets are wanted');
    },
    readDefaultPolicy,
  );
}

describe('the settings of originals', () => {
  it('have the API key and Cloudinary’s own API by default', () => {
    const { cloudinary, dataDir } = read({});
    expect(cloudinary).toMatchObject({
      apiKey: '123456789012345',
      uploadPrefix: 'https://api.cloudinary.com',
      uploadTimeout: 60_000,
    });
    expect(dataDir).toBe(resolve('data'));
    expect(read({ DATA_DIR: '/srv/pixseal' }).dataDir).toBe('/srv/pixseal');
  });

  it.each([
    'https://api-eu.cloudinary.com',
    'http://127.0.0.1:8080',
    'http://[::1]:8080',
    'http://localhost',
  ])('accept the origin %s', (origin) => {
    expect(read({ CLOUDINARY_UPLOAD_PREFIX: origin }).cloudinary.uploadPrefix).toBe(origin);
  });

  it.each([
    ['CLOUDINARY_UPLOAD_PREFIX', 'http://api.cloudinary.com'],
    ['CLOUDINARY_UPLOAD_PREFIX', 'https://api.cloudinary.com/v1_1'],
    ['CLOUDINARY_UPLOAD_PREFIX', 'https://key@api.cloudinary.com'],
    ['CLOUDINARY_UPLOAD_PREFIX', 'ftp://127.0.0.1'],
    ['CLOUDINARY_UPLOAD_TIMEOUT', '0'],
    ['CLOUDINARY_URL', 'cloudinary://:secret@cloud'],
  ])('refuse %s=%s, by name', (name, value) => {
    expect(() => read({ [name]: value })).toThrow(EnvironmentError);
    expect(() => read({ [name]: value })).toThrow(name);
  });
});
