# The emulator. Its database lies in /var/lib/mock-sls: mount a volume there to keep it.
ARG BASE_IMAGE=debian:bookworm-slim
FROM $BASE_IMAGE
COPY mock-sls /usr/local/bin/mock-sls
COPY --chown=65532:65532 empty/ /var/lib/mock-sls/
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/mock-sls"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--data", "/var/lib/mock-sls"]
