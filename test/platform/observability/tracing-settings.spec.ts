import { describe, expect, it } from 'vitest';
import {
  EnvironmentError,
  readEnvironment,
  type Environment,
} from '../../../src/platform/config/environment.js';
import { TEST_VARIABLES } from '../../support/service.js';
import { readDefaultPolicy } from '../../../src/policy/recommended-policy.js';

const NAME = 'OTEL_EXPORTER_OTLP_HEADERS';

function read(variables: Record<string, string>): Environment {
  return readEnvironment(
    { ...TEST_VARIABLES, DATABASE_URL: 'postgres://127.0.0.1/x', ...variables },
    () => {
      throw new Error('no embedded secrets are wanted');
    },
    readDefaultPolicy,
  );
}

describe('the headers for a collector', () => {
  it.each<[written: string, headers: Record<string, string>]>([
    ['', {}],
    ['api-key=abc', { 'api-key': 'abc' }],
    ['Authorization=Basic%20YTpi, x-team = shop', { authorization: 'Basic YTpi', 'x-team': 'shop' }],
    ['token=a=b%2Cc', { token: 'a=b,c' }],
  ])('are read from %j', (written, headers) => {
    const { tracing } = read({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', [NAME]: written });
    expect(tracing?.headers).toStrictEqual(headers);
  });

  it.each([
    'secret',
    '=secret',
    'a=',
    'a b=secret',
    'a=secret one',
    'a=secret%0d%0ab:c',
    'a=secret%zz',
    'a=secret%E2%82%AC',
  ])('are refused by name and without their value: %j', (written) => {
    expect(() => read({ [NAME]: written })).toThrow(EnvironmentError);
    expect(() => read({ [NAME]: written })).toThrow(NAME);
    expect(() => read({ [NAME]: written })).not.toThrow('secret');
  });
});
