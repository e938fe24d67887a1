// The limit: the same status, headers and bytes from node:http, decided beforehand.
import { createServer } from 'node:http';

const { headers, body } = JSON.parse(process.env.ANSWER ?? '{}');
createServer((_, response) => {
  response.writeHead(302, headers);
  response.end(body);
}).listen(Number(process.env.PORT), '127.0.0.1');
