import type { Reporter, TestModule } from 'vitest/node';

/** The type of the annotations that this reporter collects: `await annotate('503 after 910 ms', FIGURE)`. */
export const FIGURE = 'figure';

/** Prints the tests' measurements after the run: the source of the figures in docs/reliability.md. */
export class FiguresReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const figures = modules.flatMap((module) =>
      [...module.children.allTests()].flatMap((test) =>
        test
          .annotations()
          .filter(({ type }) => type === FIGURE)
          .map(({ message }) => `  ${module.project.name.padEnd(9)} ${message}`),
      ),
    );
    if (figures.length > 0) process.stdout.write(`\nFigures\n${figures.sort().join('\n')}\n\n`);
  }
}
