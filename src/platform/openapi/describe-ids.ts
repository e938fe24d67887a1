import type { OpenAPIObject } from '@nestjs/swagger';
import { operationsOf } from './operations.js';

/** What an id in a path identifies, by the segment before it. */
const ROWS: Readonly<Record<string, string>> = {
  accounts: 'The account’s id.',
  'admin-keys': 'The admin key’s id.',
  images: 'The image’s id.',
  issuers: 'The issuer’s id.',
  keys: 'The signing key’s id, which is the `kid` of its tokens.',
  notifications: 'The account’s id.',
  overlays: 'The overlay’s id.',
  'retained-public-ids': 'The id of the retention, not the public id.',
  secrets: 'The secret’s id.',
  revocations: 'The revocation’s id.',
};

/** Describes the ids in the admin API's paths. */
export function describeIds(document: OpenAPIObject): void {
  for (const { path, operation } of operationsOf(document)) {
    for (const parameter of operation.parameters ?? []) {
      if (!('in' in parameter) || parameter.in !== 'path' || parameter.description !== undefined) continue;
      const [, rows = ''] = new RegExp(`([^/]+)/\\{${parameter.name}\\}`).exec(path) ?? [];
      parameter.description = ROWS[rows] ?? '';
      parameter.schema = { type: 'string', format: 'uuid' };
    }
  }
}
