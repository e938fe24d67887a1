import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OriginalFiles } from '../../src/originals/original-files.js';

const CONTENT = Buffer.from('a picture, as far as files go');
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');
const FOLDER = SHA256.slice(0, 2);

let root: string;
let files: OriginalFiles;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pixseal-files-'));
  files = new OriginalFiles(join(root, 'originals'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const names = (): string[] => readdirSync(join(root, 'originals', FOLDER));

it('has no file in its place before it is moved there, and the complete file after', async () => {
  const staged = await files.stage(SHA256, CONTENT);
  expect(existsSync(files.pathOf(SHA256))).toBe(false);
  expect(names()).toStrictEqual([expect.stringMatching(/\.tmp$/)]);
  await staged.place();
  await staged.discard();
  expect(names()).toStrictEqual([SHA256]);
  expect(readFileSync(files.pathOf(SHA256))).toStrictEqual(CONTENT);
});

it('removes a discarded file', async () => {
  const staged = await files.stage(SHA256, CONTENT);
  await staged.discard();
  expect(names()).toStrictEqual([]);
});

it('does not write a duplicate', async () => {
  await (await files.stage(SHA256, CONTENT)).place();
  const path = join(root, 'originals', FOLDER, SHA256);
  const before = statSync(path);
  const again = await files.stage(SHA256, CONTENT);
  expect(names()).toStrictEqual([SHA256]);
  await again.place();
  expect(statSync(path).ino).toBe(before.ino);
  expect(statSync(path).mtimeMs).toBe(before.mtimeMs);
});

it('writes a duplicate if the first was removed meanwhile', async () => {
  await (await files.stage(SHA256, CONTENT)).place();
  const again = await files.stage(SHA256, CONTENT);
  await files.remove(SHA256);
  await again.place();
  expect(readFileSync(files.pathOf(SHA256))).toStrictEqual(CONTENT);
});

it('excludes other users from files and folders', async () => {
  await (await files.stage(SHA256, CONTENT)).place();
  expect(statSync(join(root, 'originals', FOLDER)).mode & 0o777).toBe(0o700);
  expect(statSync(join(root, 'originals', FOLDER, SHA256)).mode & 0o777).toBe(0o600);
});

it('ignores files of a killed process, and removes old ones', async () => {
  await (await files.stage(SHA256, CONTENT)).place();
  const old = join(root, 'originals', FOLDER, 'old.tmp');
  const young = join(root, 'originals', FOLDER, 'young.tmp');
  writeFileSync(old, CONTENT.subarray(0, 5));
  writeFileSync(young, CONTENT.subarray(0, 5));
  utimesSync(old, 1_000, 1_000);
  expect(readFileSync(files.pathOf(SHA256))).toStrictEqual(CONTENT);
  await files.removeLeftovers(60_000);
  expect(names().sort()).toStrictEqual([SHA256, 'young.tmp'].sort());
});

it('removes nothing from an empty folder', async () => {
  await expect(files.removeLeftovers(0)).resolves.toBeUndefined();
  expect(readdirSync(root)).toStrictEqual([]);
});

it.each([
  '',
  '../../etc/passwd',
  `../${SHA256}`,
  SHA256.toUpperCase(),
  `${SHA256}/`,
  `${SHA256.slice(1)}.`,
  `${SHA256}\0`,
])('refuses a name that is not a hash: %j', async (name) => {
  expect(() => files.pathOf(name)).toThrow('SHA-256');
  await expect(files.stage(name, CONTENT)).rejects.toThrow('SHA-256');
  await expect(files.remove(name)).rejects.toThrow('SHA-256');
  expect(readdirSync(root)).toStrictEqual([]);
});
