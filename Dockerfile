# Two images. Each holds one binary, the C library and CA certificates, and no shell:
#
#   docker build --tag order-service .                                  the service
#   docker build --tag order-service-sandbox --target sandbox .         stand-in peers, for development

ARG RUST_VERSION=1.95

# Dependency layer: it compiles the dependencies behind empty crates, so Docker rebuilds it only when a
# Cargo.toml or Cargo.lock changes. cargo-chef would do the same, but would first be compiled itself.
FROM rust:${RUST_VERSION}-slim-bookworm AS dependencies
WORKDIR /build
# The query macros check against `.sqlx/`, so the build needs no database.
ENV SQLX_OFFLINE=true CARGO_TERM_COLOR=never
COPY Cargo.toml Cargo.lock ./
COPY crates/private-postgres/Cargo.toml crates/private-postgres/
COPY crates/sandbox/Cargo.toml crates/sandbox/
RUN for crate in . crates/private-postgres crates/sandbox; do \
        mkdir "$crate/src" && echo '//! Empty.' > "$crate/src/lib.rs" || exit 1; \
    done \
    && printf '//! Empty.\n\nfn main() {}\n' > src/main.rs \
    && cargo build --release --locked --package order-service --no-default-features

FROM dependencies AS sandbox-dependencies
RUN cargo build --release --locked --package order-service --no-default-features --features sandbox

# Cargo compares modification times, and the real sources may be older than the empty ones: touch them.
FROM dependencies AS build
COPY . .
RUN touch src/main.rs src/lib.rs crates/*/src/lib.rs \
    && cargo build --release --locked --package order-service --no-default-features

FROM sandbox-dependencies AS sandbox-build
COPY . .
RUN touch src/main.rs src/lib.rs crates/*/src/lib.rs \
    && cargo build --release --locked --package order-service --no-default-features --features sandbox

# This base image includes CA certificates; the HTTP client does not start without them.
FROM gcr.io/distroless/cc-debian12:nonroot AS runtime
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="order-service" \
      org.opencontainers.image.description="Owns a shop's orders: accepts, fulfils, lists and cancels them" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A numeric id lets Kubernetes verify that the user is not root.
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

# The last stage is the default target.
FROM runtime AS service
COPY --from=build --chown=0:0 --chmod=0555 /build/target/release/order-service /usr/local/bin/order-service
ENV HOST=0.0.0.0 PORT=8001 LOG_FORMAT=json
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["/usr/local/bin/order-service", "healthcheck"]
CMD ["serve"]
