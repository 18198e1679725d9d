#!/bin/sh
# The health of the container: the broker acknowledges a message. A process that exists says nothing of its loop.
# mosquitto_pub reads user and password from a file, so that they appear on no command line.
set -eu
umask 077
export XDG_CONFIG_HOME=/tmp/healthy
mkdir -p "$XDG_CONFIG_HOME"
printf -- '-u zelador\n-P %s\n' "$MQTT_SERVICE_PASSWORD" >"$XDG_CONFIG_HOME/mosquitto_pub"
timeout 5 mosquitto_pub -h 127.0.0.1 -q 1 -t zelador/doctor/healthy -n >/dev/null
