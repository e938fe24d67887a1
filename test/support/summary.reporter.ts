import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** Numbers of tests by result. */
interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Counts a run's tests by project, the fault tests apart, and writes them as JSON to the file that `TEST_SUMMARY`
 * names: for .ci/run, which checks that the suites on Postgres ran. Vitest's own JSON reporter does not distinguish
 * projects.
 */
export class SummaryReporter implements Reporter {
  constructor(private readonly file: string) {}

  onTestRunEnd(modules: readonly TestModule[]): void {
    const groups: Record<string, Counts> = {};
    for (const module of modules) {
      const faults = module.relativeModuleId.startsWith('test/faults/') ? ' faults' : '';
      const counts = (groups[`${module.project.name}${faults}`] ??= { passed: 0, failed: 0, skipped: 0 });
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        counts[state === 'pending' ? 'skipped' : state] += 1;
      }
      // A file that could not be loaded has no tests to count.
      if (module.children.size === 0 && module.state() === 'failed') counts.failed += 1;
    }
    writeFileSync(this.file, `${JSON.stringify(groups)}\n`);
  }
}
