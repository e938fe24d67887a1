import multipart from '@fastify/multipart';
import {
  applyDecorators,
  createParamDecorator,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
  type Type,
} from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiExtension, ApiExtraModels, getSchemaPath } from '@nestjs/swagger';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { finalize, type Observable } from 'rxjs';
import { FORM_EXTENSION, FORM_TYPE } from '../platform/openapi/describe-forms.js';
import { InvalidRequestError } from '../domain/request.errors.js';
import { OverloadedError } from '../platform/rate-limit/overloaded.error.js';
import { ProblemError } from '../domain/problem.error.js';
import { ORIGINAL_LIMITS } from './inspect-original.js';
import { OriginalRequiredError, OriginalTooLargeError } from './original.errors.js';
import { type UploadedFile, uploadedFile } from './uploaded-file.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The file of a multipart body, after it was read. */
    original: UploadedFile | null;
    /** The fields of a multipart body, as received. */
    formFields: Readonly<Record<string, unknown>> | null;
  }
}

const FILE_SCHEMA = {
  type: 'string',
  format: 'binary',
  description:
    'JPEG, PNG, WebP, AVIF, GIF, TIFF, SVG, BMP, ICO, HEIC, JPEG XL or PDF; 25 MiB, 50 million pixels.',
} as const;
const FORM_LIMITS = { fields: 20, fieldNameSize: 64, fieldSize: 1_024, files: 1, headerPairs: 20 };
/** Bytes of a form beside its file. */
const FORM_OVERHEAD = 64 * 1_024;
/** Concurrent uploads of a process: each may be in memory from its first byte to the response. */
export const MAX_UPLOADS = 4;
/** Milliseconds for a client to receive the response to a request that timed out. */
const LINGER = 3_000;

/** Routes whose body may be a form. */
const UPLOAD_ROUTES: ReadonlySet<string> = new Set(
  ['images', 'overlays'].flatMap((rows) => [`/admin/${rows}`, `/admin/${rows}/:id/original`]),
);

/** Makes the upload routes, and no others, accept forms. */
export function acceptForms(server: FastifyInstance): void {
  server.register(multipart, {
    limits: { ...FORM_LIMITS, fileSize: ORIGINAL_LIMITS.bytes, parts: FORM_LIMITS.fields + 1 },
  });
  server.decorateRequest('original', null);
  server.decorateRequest('formFields', null);
  server.addHook('onRoute', (route) => {
    const methods = [route.method].flat();
    if (UPLOAD_ROUTES.has(route.url) || methods.every((method) => method === 'GET' || method === 'HEAD'))
      return;
    route.preParsing = (request, _reply, payload, done) => {
      done(
        request.headers['content-type']?.toLowerCase().startsWith(FORM_TYPE) ? new FormRefusedError() : null,
        payload,
      );
    };
  });
}

/** Fastify's response to a content type that a route does not accept. */
class FormRefusedError extends Error {
  readonly statusCode = 415;
}

/** A route that accepts a JSON body, or a form of the same fields with a `file`. */
export function AcceptsOriginal({
  form,
  versioned,
}: {
  /** The DTO of the form: other members may be absent there. */
  readonly form: Type;
  /** Whether an absent `version` becomes the time of the upload. */
  readonly versioned: boolean;
}): MethodDecorator {
  return applyDecorators(
    UseInterceptors(new FormInterceptor({ fields: true, versioned })),
    ApiExtraModels(form),
    ApiExtension(FORM_EXTENSION, {
      allOf: [
        { $ref: getSchemaPath(form) },
        { type: 'object', required: ['file'], properties: { file: FILE_SCHEMA } },
      ],
    }),
  );
}

/** A route that accepts only a form with a `file`. */
export function RequiresOriginal(): MethodDecorator {
  return applyDecorators(
    UseInterceptors(new FormInterceptor({ fields: false, versioned: false })),
    ApiConsumes(FORM_TYPE),
    ApiBody({ schema: { type: 'object', required: ['file'], properties: { file: FILE_SCHEMA } } }),
  );
}

/** The uploaded file; undefined for a JSON body. */
export const Original = createParamDecorator(
  (_, context: ExecutionContext): UploadedFile | undefined =>
    context.switchToHttp().getRequest<FastifyRequest>().original ?? undefined,
);

interface FormRules {
  readonly fields: boolean;
  readonly versioned: boolean;
}

/** Reads a form after the guards and before the pipes, so that its fields are validated like a JSON body's members. */
class FormInterceptor implements NestInterceptor {
  /** Of all routes together. */
  private static uploads = 0;

  constructor(private readonly rules: FormRules) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (!request.isMultipart()) {
      if (!this.rules.fields) throw new OriginalRequiredError();
      return next.handle();
    }
    // Not queued: the waiting forms would need memory, while Node discards the body of a refused one.
    if (FormInterceptor.uploads >= MAX_UPLOADS) throw new OverloadedError();
    FormInterceptor.uploads += 1;
    const leave = (): void => void (FormInterceptor.uploads -= 1);
    try {
      await this.read(request);
    } catch (error) {
      leave();
      throw error;
    }
    // Not when the client disconnects: its file is still being checked then.
    return next.handle().pipe(finalize(leave));
  }

  private async read(request: FastifyRequest): Promise<void> {
    const { requestTimeout } = request.server.server;
    // On a timeout Node sends a response and half-closes: a silent client would keep the connection open.
    const end = setTimeout(() => request.raw.destroy(), requestTimeout + LINGER);
    try {
      if (Number(request.headers['content-length'] ?? 0) > ORIGINAL_LIMITS.bytes + FORM_OVERHEAD) {
        throw new OriginalTooLargeError(ORIGINAL_LIMITS.bytes);
      }
      const { fields, file } = await readForm(request);
      if (!this.rules.fields) requireNoFields(fields);
      request.body = this.rules.versioned ? { version: Math.floor(Date.now() / 1_000), ...fields } : fields;
      request.original = file;
      request.formFields = fields;
    } catch (error) {
      // Unread data must not stall the connection.
      request.raw.unpipe();
      request.raw.resume();
      throw describeFormError(error);
    } finally {
      clearTimeout(end);
    }
  }
}

type Fields = Record<string, unknown>;

async function readForm(request: FastifyRequest): Promise<{ fields: Fields; file: UploadedFile }> {
  const fields: Fields = {};
  let file: UploadedFile | null = null;
  for await (const part of request.parts()) {
    if (part.type === 'file') {
      if (part.fieldname !== 'file')
        throw fault(part.fieldname, 'must be a field, not a file: the file is `file`');
      const { file: stream } = part;
      // The plugin would wait for the end of the part, which may never arrive.
      stream.once('limit', () => stream.destroy(new OriginalTooLargeError(ORIGINAL_LIMITS.bytes)));
      // Browsers escape a quote (https://html.spec.whatwg.org/#multipart-form-data).
      file = uploadedFile(await part.toBuffer(), part.filename.replaceAll('%22', '"'));
      continue;
    }
    const { fieldname: name, value } = part;
    if (part.fieldnameTruncated || part.valueTruncated) throw fault(name, 'is too long');
    if (name === 'file') throw fault(name, 'must be a file: send it with a file name');
    if (name in fields) throw fault(name, 'must come once');
    fields[name] = typeof value === 'string' ? readField(name, value) : value;
  }
  if (file === null)
    throw fault('file', 'is required in a form; register a row without an original with JSON');
  return { fields, file };
}

/** A field as the member of a JSON body: all but two are text. */
function readField(name: string, value: string): unknown {
  if (name === 'version' && /^\d{1,16}$/.test(value)) return Number(value);
  if (name === 'shared' && (value === 'true' || value === 'false')) return value === 'true';
  return value;
}

function requireNoFields(fields: Fields): void {
  const [name] = Object.keys(fields);
  if (name !== undefined) throw fault(name, 'should not exist: this route accepts only the file');
}

function fault(key: string, detail: string): InvalidRequestError {
  return new InvalidRequestError([{ key, detail }]);
}

/** Translates the plugin's errors; any other error is a malformed form. */
function describeFormError(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  const { code } = error as { code?: unknown };
  switch (code) {
    case 'FST_REQ_FILE_TOO_LARGE':
      return new OriginalTooLargeError(ORIGINAL_LIMITS.bytes);
    case 'FST_FILES_LIMIT':
    case 'FST_PARTS_LIMIT':
      return fault('file', 'must be one file');
    case 'FST_FIELDS_LIMIT':
      return fault('body', `must have no more than ${FORM_LIMITS.fields} fields`);
    case 'FST_PROTO_VIOLATION':
      return fault('body', 'must not have a field of this name');
    default:
      return fault('body', 'must be a complete multipart/form-data (RFC 7578)');
  }
}
