import type { OpenAPIObject } from '@nestjs/swagger';

export const FORM_TYPE = 'multipart/form-data';

/** The extension that passes a form's schema to `describeForms`, which removes it. */
export const FORM_EXTENSION = 'x-form';

/** Adds the form's schema beside the JSON body's: Nest describes one body for all content types. */
export function describeForms(document: OpenAPIObject): void {
  for (const { post } of Object.values(document.paths)) {
    const operation: { requestBody?: object; [FORM_EXTENSION]?: unknown } = post ?? {};
    const { requestBody, [FORM_EXTENSION]: schema } = operation;
    if (schema === undefined || requestBody === undefined || !('content' in requestBody)) continue;
    Object.assign(requestBody.content as object, { [FORM_TYPE]: { schema } });
    Reflect.deleteProperty(operation, FORM_EXTENSION);
  }
}
