# One image for ingest, aggregator and feature-writer: SERVICE says which of them a container is.
# docker-compose.yml uses it; docs/operations/compose.md tells how.
FROM node:24-slim AS manifest
WORKDIR /app
COPY package.json package-lock.json ./

# TypeScript to dist. Install scripts are left out: they would only fetch tools of the tests and another Node.
FROM manifest AS build
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY libs libs
COPY apps apps
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json

FROM manifest AS dependencies
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-slim
WORKDIR /app
# A named volume takes over this folder's owner, so the spool can be written without being root.
RUN mkdir /var/lib/caudal && chown node:node /var/lib/caudal
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY pipelines pipelines
COPY scripts/container-health.mjs scripts/container-health.mjs
COPY --from=build /app/dist dist
ENV NODE_ENV=production
ENV SERVICE=ingest
ENV CAUDAL_STATE_DIR=/var/lib/caudal
EXPOSE 8080 8090 8091
USER node
# Ready, not merely alive: Compose restarts nobody for being unhealthy, and `up --wait` is to end when work can be done.
HEALTHCHECK --interval=5s --timeout=4s --start-period=90s --retries=6 CMD ["node", "scripts/container-health.mjs"]
# As `npm run start:ingest` does, flags included. It begins with exec: no shell stands between a stop's SIGTERM and node,
# which ends what it has begun.
CMD ["sh", "-c", "eval \"$(node -p \"require('./package.json').scripts['start:$SERVICE']\")\""]
