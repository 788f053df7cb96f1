# rolecall in an image with nothing else in it: the static binary, the certificate authorities that TLS is checked
# against, and the folder that files are mounted to.
#
#   docker build --tag rolecall .
#   docker run --rm --volume "$PWD:/work" rolecall plan --sandbox examples/hive.yaml

# The tag tells people the version, the digest tells Docker the bytes. It is an index of amd64 and arm64.
FROM rust:1.98.1-alpine3.24@sha256:7cc1c22d77d9432f7fe012a70e6d3e555af54c2a6832700ed7d553f1769ae89f AS build
WORKDIR /build
COPY . .
ARG REVISION
# On Alpine the host's target is musl, which links statically.
RUN ROLECALL_COMMIT=$REVISION cargo build --locked --profile dist --package rolecall --features object-store,otlp && mkdir /work

# The same check as .ci/static: an empty folder, no shared library, no environment.
FROM scratch AS check
COPY --from=build /build/target/dist/rolecall /rolecall
COPY examples/hive.yaml /hive.yaml
RUN ["/rolecall", "plan", "--sandbox", "/hive.yaml"]

FROM scratch
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rolecall" \
      org.opencontainers.image.description="Access as code for SaaS organisations: plan, apply and drift over GraphQL, without a state file" \
      org.opencontainers.image.source="https://github.com/rolecall-dev/rolecall" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# rustls asks the operating system for its authorities; here this file is all of it.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY LICENSE-APACHE LICENSE-MIT /
# From the check, so that no image is made of a binary that doesn't run.
COPY --from=check /rolecall /rolecall
# Nobody's. The ledger and the secrets that are delivered to files go to the mounted folder.
COPY --from=build --chown=65532:65532 /work /work
WORKDIR /work
USER 65532:65532
ENTRYPOINT ["/rolecall"]
CMD ["--help"]
