import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  announceAddress,
  findLockAddress,
  FolderLockedError,
  lockFolder,
} from '../../../src/platform/database/folder-lock.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folder-lock-'));
  file = join(folder, 'pixseal.pid');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

/** An owner's file, last touched so many seconds ago. */
function hold(content: string, secondsAgo: number): void {
  writeFileSync(file, content);
  const at = Date.now() / 1000 - secondsAgo;
  utimesSync(file, at, at);
}

describe('a locked folder', () => {
  it('belongs to one process until it is unlocked', () => {
    const release = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(FolderLockedError);
    release();
    lockFolder(folder)();
  });

  it('has the address that its process announced, until it is unlocked', () => {
    expect(findLockAddress(folder)).toBeNull();
    const release = lockFolder(folder);
    expect(findLockAddress(folder)).toBeNull();
    announceAddress(folder, 'http://127.0.0.1:3000');
    expect(findLockAddress(folder)).toBe('http://127.0.0.1:3000');
    expect(() => lockFolder(folder)).toThrow(FolderLockedError);
    release();
    expect(findLockAddress(folder)).toBeNull();
  });

  it.each([
    ['a process that has gone', '999999999 123'],
    ['another container', `${process.pid} 123 pid:[1]`],
  ])('has no address of %s', (_, owner) => {
    hold(`${owner} http://127.0.0.1:3000\n`, 0);
    expect(findLockAddress(folder)).toBeNull();
  });

  it.each(['pid:[1]', 'pid:[4026539999]'])(
    'is another container’s as long as it is heard of, whatever its pid is here: %s',
    (namespace) => {
      for (const pid of [process.pid, 999_999_999]) {
        hold(`${pid} 123 ${namespace}\n`, 25);
        expect(() => lockFolder(folder)).toThrow(/in use by process \d+ of another container\. .*30 seconds/);
        hold(`${pid} 123 ${namespace}\n`, 31);
        lockFolder(folder)();
      }
    },
  );

  it.each([
    ['of a process that has gone', '999999999 123\n'],
    ['of one whose number another has now', `${process.pid} 123\n`],
  ])('is free if its file is that %s, however recent', (_, content) => {
    hold(content, 0);
    lockFolder(folder)();
  });

  it('is locked by heartbeats, which stop when it is unlocked', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const release = lockFolder(folder);
    expect(readFileSync(file, 'utf8')).toMatch(/^\d+ \S+ (pid:\[\d+\]|-)\n$/);
    const longAgo = new Date(0);
    utimesSync(file, longAgo, longAgo);
    vi.advanceTimersByTime(5_000);
    expect(Date.now() - statSync(file).mtimeMs).toBeLessThan(5_000);
    release();
    expect(vi.getTimerCount()).toBe(0);
    expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
  });
});
