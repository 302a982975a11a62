# The collector, at the paths and under the names of the vendor's Logtail image, so that manifests
# written for that one need no change: the agent in the foreground as entry point, its init scripts
# in /etc/init.d, a config directory for each region and network in /etc/ilogtail/conf, sh and
# coreutils from the base.
#
# It runs as root, as the vendor's does: the files it reads belong to other containers' users.
ARG BASE_IMAGE=debian:bookworm-slim
FROM $BASE_IMAGE
ADD root.tar /
WORKDIR /usr/local/ilogtail
ENTRYPOINT ["/usr/local/ilogtail/ilogtail"]
