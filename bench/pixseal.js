// Everything that the benches take from the built service, so that there is one place to follow it.
const built = (path) => import(new URL(`../dist/${path}`, import.meta.url).href);

export const { startPostgres, findPostgres, findFreePort } =
  /** @type {typeof import('../test/support/postgres-server.js')} */ (
    await built('test/support/postgres-server.js')
  );
export const { SecretBox } = /** @type {typeof import('../src/secrets/secret-box.js')} */ (
  await built('src/secrets/secret-box.js')
);
export const { issuerKeyPlace } = /** @type {typeof import('../src/issuers/issuer-key-place.js')} */ (
  await built('src/issuers/issuer-key-place.js')
);
