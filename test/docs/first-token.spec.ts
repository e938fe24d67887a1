import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { documentBlock } from '../support/readme.js';
import { TOKEN_VECTORS } from '../support/token-vectors.js';

const [vector] = TOKEN_VECTORS;
const { iss, exp, image_id: imageId } = vector.claims;
const DSN = `https://${iss}:${encodeURIComponent(vector.key.secret)}@images.example.com/?kid=1`;
const EXPIRY = 'Math.floor(Date.now() / 1000) + 3600';

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
  const fix = (script: string): string => script.replace(EXPIRY, String(exp));

  it('signs the token of the vectors', () => {
    expect(byHand).toContain(EXPIRY);
    expect(run(fix(byHand), String(imageId))).toBe(vector.url);
  });

  it('signs a token that expires in an hour', () => {
    const [, payload = ''] = run(byHand, String(imageId)).split('.').slice(-3);
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
      exp: expect.closeTo(Date.now() / 1000 + 3600, -2) as number,
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
    expect(run(fix(whole), String(imageId))).toBe(vector.url);
  });
});
