import { dirname } from 'node:path';

// Everything that the benches take from the built service, so that there is one place to follow it.
const built = (path) => import(new URL(`../dist/${path}`, import.meta.url).href);

export const { startPostgres, findPostgres, findPostgresProgram, findFreePort } =
  /** @type {typeof import('../test/support/postgres-server.js')} */ (
    await built('test/support/postgres-server.js')
  );
export const { findRedis, startRedis } = /** @type {typeof import('../test/support/redis-server.js')} */ (
  await built('test/support/redis-server.js')
);
export const { SecretBox } = /** @type {typeof import('../src/platform/secrets/secret-box.js')} */ (
  await built('src/platform/secrets/secret-box.js')
);
export const { issuerKeyAad } = /** @type {typeof import('../src/directory/secret-aads.js')} */ (
  await built('src/directory/secret-aads.js')
);

/** What Node is given to start the built service, as `npm start` does. */
export const MAIN = ['--max-semi-space-size=4', '--no-memory-reducer', 'dist/server/main.js'];

/**
 * Starts a Postgres for one measurement, with an empty database, which `stop` removes.
 * @param {readonly string[]} [settings] Further arguments of the server.
 * @throws if this machine has none.
 */
export function startOwnPostgres(settings) {
  return startPostgres({ bin: dirname(findPostgresProgram('postgres')) }, undefined, settings);
}

/** Headless Chromium, as the tests have it. @returns {ReturnType<typeof import('../test/support/browser.js').launchBrowser>} */
export async function launchBrowser() {
  return (await built('test/support/browser.js')).launchBrowser();
}

/**
 * Pixseal's own pieces, wired as the service wires them, on the settings of this process's environment.
 * @returns The functions that `bench/micro.js` measures, and how to end.
 */
export async function openPieces() {
  const [app, environment, tokens, mapper, urls, redirects, directory] = await Promise.all(
    [
      'src/app.js',
      'src/platform/config/environment.js',
      'src/tokens/token.service.js',
      'src/transformations/transformation.mapper.js',
      'src/cloudinary/cloudinary-url.service.js',
      'src/redirect/redirect.service.js',
      'src/directory/directory.service.js',
    ].map(built),
  );
  const settings = environment.readEnvironment(process.env);
  const service = await app.createApp(settings);
  await service.init();
  const get = (type) => service.get(type, { strict: false });
  const tokenService = get(tokens.TokenService);
  const transformationMapper = get(mapper.TransformationMapper);
  const urlService = get(urls.CloudinaryUrlService);
  const redirectService = get(redirects.RedirectService);
  const rows = get(directory.DirectoryService);
  return {
    /** The issuer is cached: by `decide`, before. */
    check: (token) => {
      const read = tokenService.read(token);
      return tokenService.verify(read, rows.cachedIssuer(read.issuerId)?.row ?? null, Date.now());
    },
    /** @returns The token's own chain, each component with a `/` behind it. */
    map: (steps, overlays) => transformationMapper.map(steps).path(overlays),
    sign: (asset, path) => urlService.signUrl(settings.cloudinary, asset, path, null),
    decide: (pathId, token) => redirectService.decide({ pathId, query: { token } }, { issuerId: null }),
    close: () => service.close(),
  };
}
