import { randomUUID } from 'node:crypto';
import { DataSource } from 'typeorm';
import { ChangeFeed } from '../../src/platform/database/change-feed.js';
import { CHANGES_CHANNEL } from '../../src/platform/database/feed-connection.js';
import type { Service } from './service.js';

/**
 * Waits until a service has received every change that was committed before: notifications arrive in the order of their
 * commits. A late one would evict rows, and redirects that depend on them, in the middle of a test.
 */
export async function changesReceived({ app }: Pick<Service, 'app'>): Promise<void> {
  const marker = randomUUID();
  const received = new Promise<void>((resolve) => {
    app.get(ChangeFeed, { strict: false }).subscribe({
      rowChanged: ({ id }) => {
        if (id === marker) resolve();
      },
      onConnectionChange: () => undefined,
    });
  });
  const change = { table: 'images', id: marker, issuer_id: marker };
  await app
    .get(DataSource, { strict: false })
    .query('SELECT pg_notify($1, $2)', [CHANGES_CHANNEL, JSON.stringify(change)]);
  await received;
}
