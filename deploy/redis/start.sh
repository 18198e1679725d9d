#!/bin/sh
# Puts the password where only Redis reads it (/tmp is in memory; a command line is shown by `docker ps`),
# leaves root behind, and becomes Redis.
set -eu
umask 077
{ cat /zelador/redis.conf && printf 'requirepass %s\n' "$REDIS_PASSWORD"; } >/tmp/redis.conf
unset REDIS_PASSWORD
chown -R redis:redis /tmp/redis.conf /data
exec setpriv --reuid=redis --regid=redis --init-groups redis-server /tmp/redis.conf
