#!/bin/sh
# Makes a Debian 13 with RabbitMQ 4, Redis 8 and Valkey 8 in a folder, and mounts there what its programs need. For
# root; a few minutes:
#
#   tests/services/debian.sh /opt/trixie && PACER_RABBITMQ=/opt/trixie nox -s rabbitmq4
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
if [ ! -e "$folder/usr/bin/valkey-server" ]; then
    # A folder that has RabbitMQ already may be older than this. Nothing of it is started.
    printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
    chmod +x "$folder/usr/sbin/policy-rc.d"
    chroot "$folder" apt-get update -q
    chroot "$folder" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends redis-server valkey-server
fi
for one in $mounts; do
    mkdir -p "$folder/$one"
    mountpoint -q "$folder/$one" || mount --bind "/$one" "$folder/$one"
done
