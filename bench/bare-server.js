import { createServer } from 'node:http';

// The limit: the same status, headers and bytes from node:http, decided beforehand.
const { location, headers } = JSON.parse(process.argv[2] ?? '{}');
const body = `<html><body>You are being <a href="${location}">redirected</a>.</body></html>`;
const server = createServer((_, response) => {
  response.writeHead(302, headers);
  response.end(body);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${server.address().port}\n`);
});
