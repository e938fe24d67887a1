import { describe, expect, it } from 'vitest';
import { describeVocabulary } from '../../../src/pages/playground/describe-vocabulary.js';
import { TransformationMapper } from '../../../src/transformations/transformation.mapper.js';
import { PARAMETERS } from '../../../src/transformations/vocabulary.js';

const vocabulary = describeVocabulary();
const mapper = new TransformationMapper();
const accepts = (step: Readonly<Record<string, unknown>>): boolean => {
  try {
    mapper.map([step]);
    return true;
  } catch {
    return false;
  }
};

describe('the vocabulary as JSON', () => {
  it('is data, with every parameter of the table in its order', () => {
    expect(JSON.parse(JSON.stringify(vocabulary))).toStrictEqual(vocabulary);
    expect(vocabulary.parameters.map(({ key }) => key)).toStrictEqual(PARAMETERS.map(({ key }) => key));
  });

  it('has a short description of each parameter and flag', () => {
    for (const { key, help } of vocabulary.parameters) expect(help, key).toMatch(/^\S.{5,70}$/);
    for (const { name, help } of vocabulary.flags) expect(help, name).toMatch(/^[A-Z].{5,70}$/);
  });

  it('has a shape for each value in the step itself', () => {
    for (const { key, kind, shape } of vocabulary.parameters) {
      expect(shape !== null, key).toBe(kind === 'value' || kind === 'size');
    }
  });

  it('names the accepted flags', () => {
    for (const { name } of vocabulary.flags) expect(accepts({ flags: name }), name).toBe(true);
  });
});
