import type { OpenAPIObject } from '@nestjs/swagger';

export const FORM_TYPE = 'multipart/form-data';

/** The extension in which a route hands the schema of its form to `describeForms`, which removes it again. */
export const FORM_EXTENSION = 'x-form';

/** Nest describes one body for all types of a route: the form's own schema goes beside the JSON body's. */
export function describeForms(document: OpenAPIObject): void {
  for (const { post } of Object.values(document.paths)) {
    const operation: { requestBody?: object; [FORM_EXTENSION]?: unknown } = post ?? {};
    const { requestBody, [FORM_EXTENSION]: schema } = operation;
    if (schema === undefined || requestBody === undefined || !('content' in requestBody)) continue;
    Object.assign(requestBody.content as object, { [FORM_TYPE]: { schema } });
    Reflect.deleteProperty(operation, FORM_EXTENSION);
  }
}
