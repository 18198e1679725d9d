#!/bin/sh
# Gives a device its own password, and prints it once; run it again for a new one. --remove removes the device.
#   docker-compose exec broker sh /zelador/add-device.sh press-07
# Only hashes are stored, in the broker's volume; no password appears on a command line.
set -eu
umask 077
devices=${MOSQUITTO_DEVICES:-/mosquitto/data/devices}
passwords=${MOSQUITTO_PASSWORDS:-/tmp/passwords}
broker=${MOSQUITTO_PID:-1}

remove=no
if [ "${1:-}" = --remove ]; then
    remove=yes
    shift
fi
name=${1:-}
case "$name" in
    "" | *[!A-Za-z0-9_.-]* | -*)
        echo "usage: add-device.sh [--remove] NAME; a name has letters, digits, _ . and - only" >&2
        exit 2
        ;;
    zelador | device)
        echo "$name is a reserved user (.env); choose another device name" >&2
        exit 2
        ;;
esac
if [ "${#name}" -gt 64 ]; then
    echo "a name has at most 64 characters" >&2
    exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$devices"
awk -F: -v name="$name" '$1 != name' "$devices" >"$work/devices"
awk -F: -v name="$name" '$1 != name' "$passwords" >"$work/passwords"
if [ "$remove" = no ]; then
    password=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
    printf '%s:%s\n' "$name" "$password" >"$work/new"
    mosquitto_passwd -U "$work/new"
    cat "$work/new" >>"$work/devices"
    cat "$work/new" >>"$work/passwords"
fi
# First the file that a restart reads. Both are replaced in place, so that the broker can still read them.
cat "$work/devices" >"$devices"
cat "$work/passwords" >"$passwords"
kill -HUP "$broker"
if [ "$remove" = no ]; then
    echo "user $name, password $password (shown once)"
else
    echo "$name can no longer connect"
fi
