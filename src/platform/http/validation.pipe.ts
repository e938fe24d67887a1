import {
  type ArgumentMetadata,
  type PipeTransform,
  ValidationPipe,
  type ValidationError,
} from '@nestjs/common';
import { getMetadataStorage, validateSync } from 'class-validator';
import { isObject } from '../../domain/is-object.js';
import { describeUnknown, NearNames } from '../../domain/near-names.js';
import { InvalidRequestError } from '../../domain/request.errors.js';

const RULES = {
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  validationError: { target: true, value: false },
};

/** Validates bodies and queries by their DTO: unknown members are refused, all faults are reported at once. */
export function createValidationPipe(): ValidationPipe {
  return new RequestPipe({ ...RULES, transform: true, exceptionFactory: refusalOf });
}

/**
 * Validates a body by its DTO with the same rules, without transforming its members: class-transformer would copy every
 * object of a long list. The handler declares the body as `unknown`.
 */
export class ShallowBodyPipe<T extends object> implements PipeTransform<unknown, T> {
  constructor(private readonly dto: new () => T) {}

  /** @throws InvalidRequestError (422) */
  transform(body: unknown): T {
    const instance = Object.assign(new this.dto(), body);
    const errors = validateSync(instance, RULES);
    if (errors.length > 0) throw refusalOf(errors);
    return instance;
  }
}

const refusalOf = (errors: readonly ValidationError[]): InvalidRequestError =>
  new InvalidRequestError(errors.flatMap((error) => faultsOf(error, '')));

class RequestPipe extends ValidationPipe {
  /** @throws InvalidRequestError (422) */
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    // Nest would treat null, a number or a list as an empty object, which some routes accept.
    if (metadata.type === 'body' && value !== undefined && !isObject(value)) {
      throw new InvalidRequestError([{ key: 'body', detail: 'must be an object' }]);
    }
    return super.transform(value, metadata);
  }
}

function faultsOf(error: ValidationError, parent: string): { key: string; detail: string }[] {
  const key = parent === '' ? error.property : `${parent}.${error.property}`;
  const details = Object.entries(error.constraints ?? {}).map(([rule, detail]) =>
    rule === 'whitelistValidation' ? describeUnknown(error.property, membersOf(error.target)) : detail,
  );
  // Several rules may have the same message.
  const own = [...new Set(details)].map((detail) => ({ key, detail }));
  return [...own, ...(error.children ?? []).flatMap((child) => faultsOf(child, key))];
}

const members = new WeakMap<object, NearNames>();

/** The members of a DTO that has rules for each of them. */
function membersOf(target: object = {}): NearNames {
  const dto = target.constructor;
  let names = members.get(dto);
  if (names === undefined) {
    const rules = getMetadataStorage().getTargetValidationMetadatas(dto, '', false, false);
    names = new NearNames([...new Set(rules.map(({ propertyName }) => propertyName))], []);
    members.set(dto, names);
  }
  return names;
}
