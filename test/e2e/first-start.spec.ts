import { readFileSync } from 'node:fs';
import { describe, expect, inject, it } from 'vitest';
import { ownDatabase } from '../support/owned.js';
import { ownProcess } from '../support/service-process.js';
import { TEST_VARIABLES } from '../support/service.js';

/** The memory of a process that is in RAM: proc_pid_status(5). */
function residentMegabytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

describe.runIf(inject('database').kind === 'embedded' && process.platform === 'linux')(
  'the first start with an embedded database',
  () => {
    it('keeps at most 300 MB resident: the memory that creating the database takes is returned', async () => {
      const { variables } = await ownDatabase({ empty: true });
      const service = await ownProcess({ ...TEST_VARIABLES, ...variables });
      await expect.poll(() => service.output().stdout, { timeout: 20_000 }).toContain('admin key');
      await expect.poll(() => residentMegabytes(service.pid), { timeout: 10_000 }).toBeLessThan(300);
      expect(readFileSync(`/proc/${service.pid}/task/${service.pid}/children`, 'utf8')).toBe('');
    });
  },
);
