import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiProperty, getSchemaPath } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import {
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  Matches,
  Max,
  Min,
  ValidateBy,
  ValidateIf,
  ValidateNested,
  buildMessage,
  type ValidationOptions,
} from 'class-validator';
import { findPublicIdFault } from '../../transformations/public-id.js';
import { canonicalUuid } from '../../domain/uuid.js';
import { LAYER_PUBLIC_ID_ALLOWED, writeAssetLayer } from '../../transformations/asset-layer.js';
import { FONT_ALLOWED, isFont, writeFont } from '../../transformations/font-file.js';

/** A member of a request: one declaration for validation and OpenAPI. */
interface Member {
  readonly description: string;
  readonly optional?: true;
  /** Whether null is accepted too. */
  readonly nullable?: true;
  readonly default?: string | number | boolean;
}

/** A row's id, converted to lower case. */
export function UuidMember(member: Member): PropertyDecorator {
  return memberOf(
    member,
    { type: String, format: 'uuid' },
    Transform(({ value }: { value: unknown }) => canonicalUuid(value) ?? value),
    check('isUuid', (value) => (canonicalUuid(value) === null ? 'must be a UUID' : null)),
  );
}

/** Display text: 1 to `max` characters, no control characters. */
export function TextMember({ max, ...member }: Member & { readonly max: number }): PropertyDecorator {
  return memberOf(
    member,
    { type: String, minLength: 1, maxLength: max },
    check('isText', (value) =>
      typeof value === 'string' &&
      value.trim() !== '' &&
      value.length <= max &&
      value.isWellFormed() &&
      !/\p{Cc}/u.test(value)
        ? null
        : `must be text of 1 to ${max} characters without control characters`,
    ),
  );
}

/** A public id that Cloudinary accepts and that can be signed. */
export function PublicIdMember({
  overlay,
  ...member
}: Member & { readonly overlay?: true }): PropertyDecorator {
  return memberOf(
    member,
    { type: String, minLength: 1, maxLength: 255 },
    check('isPublicId', (value) => {
      if (typeof value !== 'string') return 'must be a string';
      // As if of type `upload`, the strictest: the delivery type may change later.
      if (overlay === true && isFont(value)) {
        const font = writeFont({ publicId: value, deliveryType: 'authenticated' });
        return font === undefined ? `must name a font: ${FONT_ALLOWED}` : findPublicIdFault(value);
      }
      if (overlay === true && writeAssetLayer({ publicId: value, deliveryType: 'upload' }) === undefined) {
        return `must name a layer: ${LAYER_PUBLIC_ID_ALLOWED}`;
      }
      return findPublicIdFault(value);
    }),
  );
}

/** One of a list. */
export function EnumMember({
  values,
  ...member
}: Member & { readonly values: readonly string[] }): PropertyDecorator {
  return memberOf(
    member,
    { type: String, enum: [...values] },
    IsIn([...values], { message: `must be one of ${values.join(', ')}` }),
  );
}

/** One or more of a list, each at most once. */
export function EnumListMember({
  values,
  ...member
}: Member & { readonly values: readonly string[] }): PropertyDecorator {
  const allowed = new Set<unknown>(values);
  return memberOf(
    member,
    { type: 'array', items: { type: 'string', enum: [...values] }, minItems: 1, uniqueItems: true },
    check('isEnumList', (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      new Set(value).size === value.length &&
      value.every((entry) => allowed.has(entry))
        ? null
        : `must be a list of one or more of ${values.join(', ')}, each once`,
    ),
  );
}

export function IntegerMember({
  min,
  max,
  ...member
}: Member & { readonly min: number; readonly max: number }): PropertyDecorator {
  const message = `must be a whole number from ${min} to ${max}`;
  return memberOf(
    member,
    { type: 'integer', minimum: min, maximum: max },
    IsInt({ message }),
    Min(min, { message }),
    Max(max, { message }),
  );
}

export function BooleanMember(member: Member): PropertyDecorator {
  return memberOf(member, { type: Boolean }, IsBoolean({ message: 'must be true or false' }));
}

/** Text that matches a pattern. */
export function PatternMember({
  pattern,
  message,
  ...member
}: Member & { readonly pattern: RegExp; readonly message: string }): PropertyDecorator {
  return memberOf(member, { type: String, pattern: pattern.source }, Matches(pattern, { message }));
}

/** Years with four digits, in UTC too. */
const FIRST_INSTANT = Date.parse('0001-01-01T00:00:00Z');
const LAST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z');

/** A date and time with offset (RFC 3339), or null. */
export function InstantMember(member: Member): PropertyDecorator {
  return memberOf(
    member,
    { type: String, format: 'date-time', nullable: true },
    check('isInstant', (value) =>
      value === null ||
      (typeof value === 'string' &&
        /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(value) &&
        Date.parse(value) >= FIRST_INSTANT &&
        Date.parse(value) <= LAST_INSTANT)
        ? null
        : 'must be a date and time with its offset, such as 2030-01-31T12:00:00Z, or null',
    ),
  );
}

/** A member with a schema for OpenAPI and a validator that returns what is wrong, or null. */
export function CheckedMember({
  schema,
  findFault,
  ...member
}: Member & {
  readonly schema: object;
  readonly findFault: (value: unknown) => string | null;
}): PropertyDecorator {
  return memberOf(member, schema, check('isChecked', findFault));
}

/**
 * A nested object.
 * @param named Objects that can be passed by name instead.
 */
export function NestedMember({
  type,
  named = {},
  ...member
}: Member & {
  readonly type: new () => object;
  readonly named?: Readonly<Record<string, object>>;
}): PropertyDecorator {
  const names = Object.keys(named);
  const message = ['must be an object', ...names.map((name) => `\`${name}\``)].join(', or ');
  const schema = { oneOf: [{ $ref: getSchemaPath(type) }, { type: 'string', enum: names }] };
  return applyDecorators(
    ApiExtraModels(type),
    memberOf(
      member,
      names.length === 0 ? { type } : schema,
      IsObject({ message }),
      ValidateNested({ message }),
      Type(() => type),
      Transform(({ value }: { value: unknown }) =>
        typeof value === 'string' && Object.hasOwn(named, value)
          ? Object.assign(new type(), named[value])
          : value,
      ),
    ),
  );
}

function memberOf(
  { description, optional, nullable, default: fallback }: Member,
  schema: object,
  ...checks: PropertyDecorator[]
): PropertyDecorator {
  return applyDecorators(
    ApiProperty({
      description,
      required: optional !== true,
      ...(nullable === undefined ? {} : { nullable }),
      ...(fallback === undefined ? {} : { default: fallback }),
      ...schema,
    }),
    // Not `IsOptional`: it would accept null too.
    ...(optional === true || nullable === true
      ? [
          ValidateIf(
            (_, value) =>
              !(optional === true && value === undefined) && !(nullable === true && value === null),
          ),
        ]
      : []),
    ...checks,
  );
}

function check(name: string, findFault: (value: unknown) => string | null): PropertyDecorator {
  const options: ValidationOptions = {};
  return ValidateBy(
    {
      name,
      validator: {
        validate: (value) => findFault(value) === null,
        defaultMessage: buildMessage((_, args) => findFault(args?.value) ?? '', options),
      },
    },
    options,
  );
}
