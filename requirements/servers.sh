#!/bin/sh
# Mosquitto, its clients and Redis: what `zelador up` and the tests prefer to the wheels' own, and `make bench` needs.
# Chromium: what the tests of the console drive; without it they are skipped.
set -eu
missing=""
for program in mosquitto mosquitto_pub mosquitto_sub redis-server; do
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$program" >/dev/null || missing="$missing $program"
done
command -v chromium >/dev/null || missing="$missing chromium"
[ -n "$missing" ] || exit 0
fail() { echo "zelador: missing:$missing; $1" >&2; exit 2; }
if command -v apt-get >/dev/null; then
    [ "$(id -u)" = 0 ] || fail "run: sudo apt-get install mosquitto mosquitto-clients redis-server chromium"
    for try in 1 2 3; do
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            mosquitto mosquitto-clients redis-server chromium >/dev/null && exit 0
        sleep $((try * 5))
    done
    fail "apt-get could not install mosquitto mosquitto-clients redis-server chromium"
elif command -v brew >/dev/null; then
    brew install mosquitto redis
    brew install --cask chromium || echo "zelador: no Chromium: the tests of the console are skipped" >&2
else
    fail "install Mosquitto 2 with its clients, and Redis 7"
fi
