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

declare module 'fastify' {
  interface FastifyRequest {
    /** The file of a multipart body, once it was read. */
    original: Buffer | null;
    /** The fields of a multipart body, as they came. */
    formFields: Readonly<Record<string, unknown>> | null;
  }
}

const FILE_SCHEMA = {
  type: 'string',
  format: 'binary',
  description: 'JPEG, PNG, WebP, AVIF, GIF or TIFF; 25 MiB, 50 million pixels.',
} as const;
const FORM_LIMITS = { fields: 20, fieldNameSize: 64, fieldSize: 1_024, files: 1, headerPairs: 20 };
/** Bytes of a form beside its file. */
const FORM_OVERHEAD = 64 * 1_024;
/** Uploads that a process has in hand at once: each may be all of its file in memory, from its first byte to its answer. */
export const MAX_UPLOADS = 4;
/** Milliseconds for a client to read that its request is out of time. */
const LINGER = 3_000;

/** Routes whose body may be a form. */
const UPLOAD_ROUTES: ReadonlySet<string> = new Set(
  ['images', 'overlays'].flatMap((rows) => [`/admin/${rows}`, `/admin/${rows}/:id/original`]),
);

/** Lets the upload routes, and no others, take forms. */
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

/** Fastify's own answer to a type of body that a route does not take. */
class FormRefusedError extends Error {
  readonly statusCode = 415;
}

/** A route that takes a JSON body as it did, or a form of the same fields with a `file`. */
export function AcceptsOriginal({
  form,
  versioned,
}: {
  /** The JSON body as a form has it: other members may be absent there. */
  readonly form: Type;
  /** Whether a `version` that is absent is the time of the upload. */
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

/** A route that takes a form with a `file` and nothing else. */
export function RequiresOriginal(): MethodDecorator {
  return applyDecorators(
    UseInterceptors(new FormInterceptor({ fields: false, versioned: false })),
    ApiConsumes(FORM_TYPE),
    ApiBody({ schema: { type: 'object', required: ['file'], properties: { file: FILE_SCHEMA } } }),
  );
}

/** The uploaded file; undefined for a JSON body. */
export const Original = createParamDecorator(
  (_, context: ExecutionContext): Buffer | undefined =>
    context.switchToHttp().getRequest<FastifyRequest>().original ?? undefined,
);

interface FormRules {
  readonly fields: boolean;
  readonly versioned: boolean;
}

/** Reads a form after the guards and before the pipes, so that its fields are judged as a JSON body's members are. */
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
    // Whoever waited would have to be held somewhere; of a refused form Node throws away what comes.
    if (FormInterceptor.uploads >= MAX_UPLOADS) throw new OverloadedError();
    FormInterceptor.uploads += 1;
    const leave = (): void => void (FormInterceptor.uploads -= 1);
    try {
      await this.read(request);
    } catch (error) {
      leave();
      throw error;
    }
    // Not when the client leaves: its file is still being judged then.
    return next.handle().pipe(finalize(leave));
  }

  private async read(request: FastifyRequest): Promise<void> {
    const { requestTimeout } = request.server.server;
    // Node answers what is out of time and closes its own side alone: a client that is silent keeps the other open.
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
      // What nobody reads any more must not stop the connection.
      request.raw.unpipe();
      request.raw.resume();
      throw describeFormError(error);
    } finally {
      clearTimeout(end);
    }
  }
}

type Fields = Record<string, unknown>;

async function readForm(request: FastifyRequest): Promise<{ fields: Fields; file: Buffer }> {
  const fields: Fields = {};
  let file: Buffer | null = null;
  for await (const part of request.parts()) {
    if (part.type === 'file') {
      if (part.fieldname !== 'file')
        throw fault(part.fieldname, 'must be a field, not a file: the file is `file`');
      const { file: stream } = part;
      // The plugin would read on to the end of the part, which may never come.
      stream.once('limit', () => stream.destroy(new OriginalTooLargeError(ORIGINAL_LIMITS.bytes)));
      file = await part.toBuffer();
      continue;
    }
    const { fieldname: name, value } = part;
    if (part.fieldnameTruncated || part.valueTruncated) throw fault(name, 'is too long');
    if (name === 'file') throw fault(name, 'must be a file: give it a file name');
    if (name in fields) throw fault(name, 'must come once');
    // The one number among the members.
    fields[name] =
      name === 'version' && typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  }
  if (file === null)
    throw fault('file', 'is needed in a form; a row without an original is registered with JSON');
  return { fields, file };
}

function requireNoFields(fields: Fields): void {
  const [name] = Object.keys(fields);
  if (name !== undefined) throw fault(name, 'should not exist: this takes the file alone');
}

function fault(key: string, detail: string): InvalidRequestError {
  return new InvalidRequestError([{ key, detail }]);
}

/** The plugin's errors in our words; what is none of them is the form's own malformation. */
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
      return fault('body', 'must have no field of such a name');
    default:
      return fault('body', 'must be a whole multipart/form-data as RFC 7578 has it');
  }
}
