import { execFileSync } from 'node:child_process';
import { createSecretKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { documentBlock } from '../support/readme.js';
import { makeGate, makeIssuer, makeKey } from '../tokens/token-fixtures.js';

const ISSUER_ID = 'cfd3b472-dbba-4089-bce7-f5c1e413b5c1';
const IMAGE_ID = '161400d0-c894-42fd-8100-262361ea91ff';
const SECRET = 'a secret/of:its?own, longer than 32 bytes';
const DSN = `https://${ISSUER_ID}:${encodeURIComponent(SECRET)}@img.example.com/?kid=1`;

const verify = makeGate(
  makeIssuer({ id: ISSUER_ID, keys: [makeKey({ secret: createSecretKey(Buffer.from(SECRET)) })] }),
);
const byHand = documentBlock('docs/languages.md', 'Node without a package / js 1');
const withJose = documentBlock('docs/languages.md', 'Node without a package / js 2');

/** Runs a script of the document like its reader. @param ids Its arguments. */
function run(script: string, ...ids: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-languages-'));
  try {
    const path = join(folder, 'mint.mjs');
    writeFileSync(path, script);
    return execFileSync(process.execPath, [path, ...ids], {
      encoding: 'utf8',
      stdio: 'pipe',
      env: { ...process.env, PIXSEAL_DSN: DSN },
    }).trim();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the Node program of docs/languages.md', () => {
  it('signs a token that is accepted', () => {
    const url = new URL(run(byHand, IMAGE_ID));
    expect(url.origin + url.pathname).toBe(`https://img.example.com/images/${IMAGE_ID}`);
    const { claims } = verify(url.searchParams.get('token'));
    expect(claims).toMatchObject({
      imageId: IMAGE_ID,
      transformations: [{ width: 400, height: 300, crop: 'fill' }],
      expiresAt: expect.closeTo(Date.now() / 1000 + 3600, -2) as number,
    });
  });

  it.each([[], ['']])('fails without an image’s id: %j', (...ids) => {
    expect(() => run(byHand, ...ids)).toThrow('usage: node mint.mjs IMAGE_ID');
  });

  it('signs with the lines for jose as well', () => {
    const jose = pathToFileURL(createRequire(import.meta.url).resolve('jose')).href;
    const script = byHand.replace(/const signingInput[\s\S]*?\n(?=console)/, () => withJose);
    expect(script).not.toBe(byHand);
    const whole = `import { SignJWT } from '${jose}';\n${script}`;
    expect(() => run(whole)).toThrow('usage: node mint.mjs IMAGE_ID');
    const url = new URL(run(whole, IMAGE_ID));
    expect(verify(url.searchParams.get('token'))).toMatchObject({ claims: { imageId: IMAGE_ID } });
  });
});
