import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { PARAMETER_BY_KEY } from '../../src/transformations/vocabulary.js';
import { acceptedStep } from '../support/steps.arbitrary.js';
import { writeStepTypes } from './step-types.js';

const OVERLAY_ID = '3d616b4e-a597-4b23-aa3d-d7de678f0ba6';

/** The compiler's messages for each step of the client's type; '' for none. */
function judge(steps: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'pixseal-types-'));
  try {
    const path = join(folder, 'steps.ts');
    const lines = steps.map((step, index) => `export const step${index}: Step = ${step};`);
    writeFileSync(
      path,
      [`import type { Step } from '${resolve('packages/client/src/step.ts')}';`, ...lines].join('\n'),
    );
    const program = ts.createProgram([path], {
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      types: [],
      lib: ['lib.es2022.d.ts'],
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      allowImportingTsExtensions: true,
    });
    const found = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => ({
      line: file?.fileName === path ? file.getLineAndCharacterOfPosition(start).line : 0,
      text: ts.flattenDiagnosticMessageText(messageText, '\n'),
    }));
    const said = (line: number): string =>
      found
        .filter((each) => each.line === line)
        .map(({ text }) => text)
        .join('\n');
    expect(said(0)).toBe('');
    return steps.map((_, index) => said(index + 1));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('the types of the client’s steps', () => {
  it('are those of the vocabulary', async () => {
    // `npx vitest run --project unit test/client -u` writes the file again.
    await expect(await writeStepTypes()).toMatchFileSnapshot('../../packages/client/src/step.ts');
  });

  it('accept every step of the vocabulary, and no other key or word', () => {
    const rows = { overlayIds: [OVERLAY_ID], uploadedIds: [OVERLAY_ID] };
    const taken = fc
      .sample(acceptedStep(rows), { numRuns: 300, seed: 1 })
      .map((step) => Object.fromEntries(Object.entries(step).filter(([key]) => PARAMETER_BY_KEY.has(key))));
    expect(new Set(taken.flatMap(Object.keys))).toStrictEqual(new Set(PARAMETER_BY_KEY.keys()));

    const refused = [
      [`{ widht: 5 }`, `'widht' does not exist in type 'Step'`],
      [`{ crop: 'fil' }`, `Type '"fil"' is not assignable`],
      [`{ effect: 'sepai' }`, `Type '"sepai"' is not assignable`],
      [`{ overlay: { font_size: 5 } }`, `is not assignable`],
      [`{ opacity: true }`, `Type 'true' is not assignable`],
    ] as const;
    const said = judge([...taken.map((step) => JSON.stringify(step)), ...refused.map(([step]) => step)]);
    expect(said.slice(0, taken.length).filter((text) => text !== '')).toStrictEqual([]);
    for (const [index, [, complaint]] of refused.entries()) {
      expect(said[taken.length + index]).toContain(complaint);
    }
  });
});
