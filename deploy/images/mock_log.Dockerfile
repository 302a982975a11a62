# The writer of the document's example, at the path its manifest calls.
ARG BASE_IMAGE=debian:bookworm-slim
FROM $BASE_IMAGE
ADD root.tar /
USER 65532:65532
ENTRYPOINT ["/bin/mock_log"]
