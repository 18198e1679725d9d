#!/bin/sh
# The health of the container: Redis answers, and has read its file. The password appears on no command line.
set -eu
password=$(sed -n 's/^requirepass //p' /tmp/redis.conf)
[ "$(REDISCLI_AUTH="$password" timeout 5 redis-cli --no-auth-warning ping)" = PONG ]
