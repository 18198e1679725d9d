#!/bin/sh
# Writes the password to a file that only Redis reads (/tmp is in memory; `docker ps` would show a command line),
# drops root, and becomes Redis.
set -eu
umask 077
{ cat /zelador/redis.conf && printf 'requirepass %s\n' "$REDIS_PASSWORD"; } >/tmp/redis.conf
unset REDIS_PASSWORD
chown -R redis:redis /tmp/redis.conf /data
exec setpriv --reuid=redis --regid=redis --init-groups redis-server /tmp/redis.conf
