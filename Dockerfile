# One image for every role: the container's command picks `squareoff <role>` or `squareoff-exchange`.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
# Queries are checked against the committed description of the database: no Postgres is needed to build.
ENV SQLX_OFFLINE=true
# The target folder is a cache and does not stay in the layer, so the binaries are taken out in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --release --locked --package squareoff --package squareoff-exchange \
    && install -D --target-directory=/binaries target/release/squareoff target/release/squareoff-exchange

FROM debian:bookworm-slim
# A number, not only a name, so that an orchestrator can see that it is not root.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin squareoff \
    && install --directory --owner=squareoff --group=squareoff --mode=0700 /data
COPY --from=build /binaries/ /usr/local/bin/
COPY deploy/compose/setup.sh /usr/local/bin/squareoff-setup
COPY deploy/compose/exchange.sh /usr/local/bin/squareoff-exchange-today
USER 10001:10001
# The event log, the gateway's journals and the book. An empty volume mounted here takes over its owner.
ENV SQUAREOFF_DATA=/data
WORKDIR /data
CMD ["squareoff", "--help"]
