// The same bytes from Fastify, with nothing of its own but a route.
import { fastify } from 'fastify';

const { headers, body } = JSON.parse(process.env.ANSWER ?? '{}');
const pairs = [];
for (let index = 0; index < headers.length; index += 2) pairs.push([headers[index], headers[index + 1]]);
const all = Object.fromEntries(pairs);
const server = fastify();
server.get('/images/:image_id', (_, reply) => {
  reply.code(302).headers(all).send(body);
});
await server.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
