import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { RawResponseWriter } from '../../../src/platform/http/raw-response.js';
import { sendRaw } from '../../support/http.js';

const NODE_MEMBERS = {
  header: '_header',
  hasBody: '_hasBody',
  keepAliveTimeout: '_keepAliveTimeout',
  isLast: 'maxRequestsOnConnectionReached',
};

let server: Server | undefined;
afterEach(() => server?.close());

/** The bytes of a server that uses this writer, without the date's value. */
async function bytesOf(
  writer: RawResponseWriter,
  method: string,
  body: string | Buffer = 'go',
): Promise<string> {
  const listening = createServer((request, response) => {
    writer.write(request, response, {
      status: 302,
      head: 'Location: /b\r\nContent-Length: 2\r\n',
      body,
    });
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const { port } = listening.address() as AddressInfo;
  const head = `${method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
  const { text } = await sendRaw(port, `${head}\r\n${head}Connection: close\r\n\r\n`);
  return text.replace(/\r\nDate: [^\r]+/g, '\r\nDate:');
}

describe('a raw response', () => {
  it('uses members that this Node has', () => {
    expect(new RawResponseWriter().isSafe).toBe(true);
  });

  it.each(Object.keys(NODE_MEMBERS))(
    'is written by writeHead, with the same bytes, if Node has renamed %s',
    async (member) => {
      const renamed = new RawResponseWriter({ ...NODE_MEMBERS, [member]: '_renamed' });
      expect(renamed.isSafe).toBe(false);
      for (const method of ['GET', 'HEAD']) {
        const bytes = await bytesOf(renamed, method);
        expect(bytes).toMatch(/^HTTP\/1\.1 302 Found\r\nLocation: \/b\r\n/);
        expect(bytes).toBe(await bytesOf(new RawResponseWriter(), method));
      }
    },
  );

  it.each(['GET', 'HEAD'])('has the same bytes with a body that is a buffer: %s', async (method) => {
    const expected = await bytesOf(new RawResponseWriter(), method);
    const renamed = new RawResponseWriter({ ...NODE_MEMBERS, header: '_renamed' });
    for (const writer of [new RawResponseWriter(), renamed]) {
      expect(await bytesOf(writer, method, Buffer.from('go'))).toBe(expected);
    }
  });
});
