# Two images, each of a binary, the C library and CA certificates, without a shell:
#
#   docker build --tag order-service .                                  the service
#   docker build --tag order-service-sandbox --target sandbox .         stand-in peers, for development

ARG RUST_VERSION=1.95

# The dependencies are built behind an empty library and binary: these layers last until Cargo.toml or
# Cargo.lock change. One crate needs no tool for that (cargo-chef would itself be compiled first).
FROM rust:${RUST_VERSION}-slim-bookworm AS dependencies
WORKDIR /build
# The queries were checked against `.sqlx/`: no database is needed here.
ENV SQLX_OFFLINE=true CARGO_TERM_COLOR=never
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo '//! Empty.' > src/lib.rs \
    && printf '//! Empty.\n\nfn main() {}\n' > src/main.rs \
    && cargo build --release --locked --no-default-features

FROM dependencies AS sandbox-dependencies
RUN cargo build --release --locked --no-default-features --features sandbox

# Cargo goes by modification times, and the real sources may be older than the empty ones: touch them.
FROM dependencies AS build
COPY . .
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --no-default-features

FROM sandbox-dependencies AS sandbox-build
COPY . .
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --no-default-features --features sandbox

# CA certificates are in it: the HTTP client does not start without them.
FROM gcr.io/distroless/cc-debian12:nonroot AS runtime
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="order-service" \
      org.opencontainers.image.description="Owns a shop's orders: takes them, has them fulfilled, answers for them and calls them off" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/order-service"]

FROM runtime AS sandbox
LABEL org.opencontainers.image.title="order-service-sandbox" \
      org.opencontainers.image.description="Stand-ins for the peers of order-service; no part of production"
COPY --from=sandbox-build --chown=0:0 --chmod=0555 /build/target/release/order-service /usr/local/bin/order-service
ENV LOG_FORMAT=json
EXPOSE 8000 8002 8003 8004
HEALTHCHECK NONE
CMD ["sandbox", "--host", "0.0.0.0"]

# Last, so that it is what is built unless another target is named.
FROM runtime AS service
COPY --from=build --chown=0:0 --chmod=0555 /build/target/release/order-service /usr/local/bin/order-service
ENV HOST=0.0.0.0 PORT=8001 LOG_FORMAT=json
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["/usr/local/bin/order-service", "healthcheck"]
CMD ["serve"]
