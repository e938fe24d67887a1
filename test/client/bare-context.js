// Runs the built client in a context that has WebCrypto, fetch, TextEncoder and btoa, and no Node.
// node --experimental-vm-modules bare-context.js ENTRY JSON
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createContext, SourceTextModule } from 'node:vm';

const [, , entry = '', given = ''] = process.argv;
const context = createContext({ crypto, fetch, TextEncoder, btoa });
const modules = new Map();

/** @param {string} path */
function load(path) {
  if (!modules.has(path)) {
    modules.set(path, new SourceTextModule(readFileSync(path, 'utf8'), { context, identifier: path }));
  }
  return modules.get(path);
}

const client = load(entry);
await client.link((specifier, { identifier }) => {
  if (!specifier.startsWith('./')) throw new Error(`${identifier} imports ${specifier}`);
  return load(join(dirname(identifier), specifier));
});
await client.evaluate();
const { signToken, imageUrl, deliveries } = client.namespace;
const { options, baseUrl, imageId } = JSON.parse(given);
const token = await signToken(options);
const delivered = await deliveries({
  baseUrl,
  items: [
    { imageId, token },
    { imageId: 'x', token },
  ],
});
process.stdout.write(JSON.stringify({ token, url: imageUrl({ baseUrl, imageId, token }), delivered }));
