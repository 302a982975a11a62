# The emulator, in /usr/local/bin. Its database lies in /var/lib/mock-sls: mount a volume there to
# keep it.
ARG BASE_IMAGE=debian:bookworm-slim
FROM $BASE_IMAGE
ADD root.tar /
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/mock-sls"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--data", "/var/lib/mock-sls"]
