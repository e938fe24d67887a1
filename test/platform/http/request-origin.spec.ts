import { describe, expect, it } from 'vitest';
import { InvalidHostError, originText } from '../../../src/platform/http/request-origin.js';

describe('the origin of a request', () => {
  it.each([
    'example.org',
    'example.org.',
    'a_b-c.example:65535',
    'localhost:0',
    '192.0.2.1:8080',
    '[::1]:3000',
  ])('may have the host %s', (host) => {
    expect(originText({ protocol: 'https', host })).toBe(`https://${host}`);
  });

  it.each([undefined, '', 'a..b', 'a:65536', 'a:99999', 'a:', '.a', '-a', 'a/b', 'a b', '[::1', 'a@b'])(
    'must not have the host %s',
    (host) => {
      expect(() => originText({ protocol: 'https', host })).toThrow(InvalidHostError);
    },
  );

  it('has the scheme http or https', () => {
    expect(() => originText({ protocol: 'javascript', host: 'a' })).toThrow(InvalidHostError);
  });
});
