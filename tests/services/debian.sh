#!/bin/sh
# Makes a Debian 13 with RabbitMQ 4 in a folder, and mounts there what its programs need. For root; a few minutes:
#
#   tests/services/debian.sh /opt/trixie && PACER_RABBITMQ=/opt/trixie nox -s tests
#
# With --umount before the folder, it takes the mounts away again; after that the folder can be removed.
set -eu

mounts="proc sys dev dev/pts tmp"
if [ "${1:-}" = --umount ]; then
    for one in tmp dev/pts dev sys proc; do
        if mountpoint -q "$2/$one"; then umount "$2/$one"; fi
    done
    exit
fi

folder=${1:?where to put it, such as /opt/trixie}
if [ ! -e "$folder/usr/sbin/rabbitmq-server" ]; then
    command -v debootstrap >/dev/null || apt-get install -q -y --no-install-recommends debootstrap
    debootstrap --variant=minbase --include=rabbitmq-server trixie "$folder"
fi
for one in $mounts; do
    mkdir -p "$folder/$one"
    mountpoint -q "$folder/$one" || mount --bind "/$one" "$folder/$one"
done
