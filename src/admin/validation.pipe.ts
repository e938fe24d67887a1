import { type ArgumentMetadata, ValidationPipe, type ValidationError } from '@nestjs/common';
import { InvalidRequestError } from './admin.errors.js';

/** Bodies and queries against their DTO: unknown members are refused, every fault is named at once. */
export function makeValidationPipe(): ValidationPipe {
  return new RequestPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => new InvalidRequestError(errors.flatMap((error) => faultsOf(error, ''))),
  });
}

class RequestPipe extends ValidationPipe {
  /** @throws InvalidRequestError (422) */
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    // Nest would take null, a number or a list for an empty object, which some routes are content with.
    if (metadata.type === 'body' && value !== undefined && !isObject(value)) {
      throw new InvalidRequestError([{ key: 'body', detail: 'must be an object' }]);
    }
    return super.transform(value, metadata);
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function faultsOf(error: ValidationError, parent: string): { key: string; detail: string }[] {
  const key = parent === '' ? error.property : `${parent}.${error.property}`;
  // Rules that break together may say the same.
  const own = [...new Set(Object.values(error.constraints ?? {}))].map((detail) => ({ key, detail }));
  return [...own, ...(error.children ?? []).flatMap((child) => faultsOf(child, key))];
}
