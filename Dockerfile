# The image holds the binary, the C library and CA certificates, and no shell.
#
#   docker build --tag order-service .
#   docker build --tag order-service:sandbox --build-arg FEATURES=sandbox .

ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-slim-bookworm AS build
WORKDIR /build
# The queries were checked against `.sqlx/`: no database is needed here.
ENV SQLX_OFFLINE=true CARGO_TERM_COLOR=never
# Cargo features of the binary: none in production, `sandbox` for the stand-in peers.
ARG FEATURES=""

# The dependencies are built behind an empty library and binary: this layer lasts until Cargo.toml
# or Cargo.lock change. One crate needs no tool for that (cargo-chef would itself be compiled first).
COPY Cargo.toml Cargo.lock ./
RUN mkdir src \
    && echo '//! Empty.' > src/lib.rs \
    && printf '//! Empty.\n\nfn main() {}\n' > src/main.rs \
    && cargo build --release --locked --no-default-features --features "${FEATURES}"

# Cargo goes by modification times, and the real sources may be older than the empty ones: touch them.
COPY . .
RUN touch src/main.rs src/lib.rs \
    && cargo build --release --locked --no-default-features --features "${FEATURES}" \
    && cp target/release/order-service /order-service

# CA certificates are in it: the HTTP client does not start without them.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="order-service" \
      org.opencontainers.image.description="Owns a shop's orders: takes them, has them fulfilled, answers for them and calls them off" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build --chown=0:0 --chmod=0555 /order-service /usr/local/bin/order-service
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
ENV HOST=0.0.0.0 PORT=8001 LOG_FORMAT=json
EXPOSE 8001
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["/usr/local/bin/order-service", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/order-service"]
CMD ["serve"]
