# The operator, in /usr/local/bin. It needs an endpoint and credentials: see deploy/kustomize.
ARG BASE_IMAGE=debian:bookworm-slim
FROM $BASE_IMAGE
ADD root.tar /
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/operator"]
CMD ["run", "--listen", "0.0.0.0:8080"]
