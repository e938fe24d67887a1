import { ADMIN_KEY, type Service } from '../support/service.js';

/** The response to a form. */
export interface FormAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Record<string, unknown>;
  readonly text: string;
}

/** Fields of a form; a Buffer is sent as a file, an array as several parts of one name. */
export type FormFields = Readonly<Record<string, string | Buffer | readonly (string | Buffer)[] | undefined>>;

/** Sends a multipart form over real HTTP. */
export async function sendForm(
  service: Service,
  path: string,
  fields: FormFields,
  {
    method = 'POST',
    fileName = 'anything.png',
    fileType = 'image/png',
    key = ADMIN_KEY,
  }: { method?: string; fileName?: string; fileType?: string; key?: string } = {},
): Promise<FormAnswer> {
  const form = new FormData();
  for (const [name, given] of Object.entries(fields)) {
    for (const value of Array.isArray(given) ? (given as readonly (string | Buffer)[]) : [given]) {
      if (typeof value === 'string') form.append(name, value);
      else if (Buffer.isBuffer(value))
        form.append(name, new Blob([Uint8Array.from(value)], { type: fileType }), fileName);
    }
  }
  const answer = await fetch(`${service.url}/admin${path}`, {
    method,
    body: form,
    headers: { authorization: `Bearer ${key}` },
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: JSON.parse(text) as Record<string, unknown>,
  };
}
