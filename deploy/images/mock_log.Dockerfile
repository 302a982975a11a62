# The writer of the document's example, at the path its manifest calls.
ARG BASE_IMAGE=debian:bookworm-slim
FROM $BASE_IMAGE
COPY mock_log /bin/mock_log
USER 65532:65532
ENTRYPOINT ["/bin/mock_log"]
