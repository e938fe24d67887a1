import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { InvalidRequestError } from './admin.errors.js';

/** Bodies and queries against their DTO: unknown members are refused, every fault is named at once. */
export function makeValidationPipe(): ValidationPipe {
  return new ValidationPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => new InvalidRequestError(errors.flatMap((error) => faultsOf(error, ''))),
  });
}

function faultsOf(error: ValidationError, parent: string): { key: string; detail: string }[] {
  const key = parent === '' ? error.property : `${parent}.${error.property}`;
  const own = Object.values(error.constraints ?? {}).map((detail) => ({ key, detail }));
  return [...own, ...(error.children ?? []).flatMap((child) => faultsOf(child, key))];
}
