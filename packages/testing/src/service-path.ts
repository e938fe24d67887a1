import { fileURLToPath } from 'node:url';

/** The file of the service, in the build of the root. `packages/build.js` replaces this module in `@pixseal/testing`. */
export const SERVICE = fileURLToPath(new URL('../../../server/embedded-service.js', import.meta.url));
