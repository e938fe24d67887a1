# Pixseal. Build: docker build -t pixseal .
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY packages ./packages
RUN npm ci
COPY nest-cli.json tsconfig.json tsconfig.build.json ormconfig.ts vite.config.ts vite.server.config.ts ./
COPY src ./src
COPY web ./web
RUN npm run build && rm -f dist/.tsbuildinfo && npm prune --omit=dev

FROM node:24-bookworm-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data
WORKDIR /app
# The one folder that is written to: mount a volume to keep it.
RUN mkdir --mode=0700 /data && chown node:node /data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=4", "--no-memory-reducer", "dist/server/main.js"]
