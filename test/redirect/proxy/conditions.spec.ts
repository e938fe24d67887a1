import { describe, expect, it } from 'vitest';
import { select } from '../../../src/redirect/proxy/conditions.js';

const SATURDAY = 'Sat, 01 Aug 2026 10:00:00 GMT';

describe('If-None-Match', () => {
  it.each([
    ['"a"', '"a"', 'not_modified'],
    ['W/"a"', '"a"', 'not_modified'],
    ['"a"', 'W/"a"', 'not_modified'],
    ['W/"a"', 'W/"a"', 'not_modified'],
    ['"b","a"', '"a"', 'not_modified'],
    ['"b" , W/"a"', '"a"', 'not_modified'],
    ['"c", "b,a"', '"b,a"', 'not_modified'],
    ['""', '""', 'not_modified'],
    [' * ', '"a"', 'not_modified'],
    ['*', null, 'not_modified'],
    ['"b,a"', '"a"', 'whole'],
    ['"*"', '"a"', 'whole'],
    ['"b", *', '"a"', 'whole'],
    ['w/"a"', '"b"', 'whole'],
    ['a', '"a"', 'whole'],
    ['"a', '"a"', 'whole'],
    ['', '"a"', 'whole'],
    ['"a"', null, 'whole'],
  ])('%j selects of an image with the tag %j: %s', (header, etag, selection) => {
    const headers = { 'if-none-match': header, 'if-modified-since': SATURDAY };
    const validators = { etag, lastModified: SATURDAY };
    expect(select({ method: 'GET', headers }, validators, 9)).toBe(selection);
  });

  it('of any length is read in linear time', () => {
    const headers = { 'if-none-match': '"'.repeat(16_000) };
    const startedAt = performance.now();
    expect(select({ method: 'GET', headers }, { etag: '"a"', lastModified: null }, 9)).toBe('whole');
    expect(performance.now() - startedAt).toBeLessThan(100);
  });
});
