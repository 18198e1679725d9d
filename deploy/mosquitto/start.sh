#!/bin/sh
# Writes the password file from the environment and the devices of add-device.sh, and becomes Mosquitto.
# /tmp is in memory; the passwords are hashed in place, so that they never appear on a command line.
set -eu
umask 077
case "$MQTT_SERVICE_PASSWORD $MQTT_DEVICE_PASSWORD" in
    *change-me*) echo "the passwords are those of .env.example; change them in .env before others can reach this" >&2 ;;
esac
printf '%s:%s\n' zelador "$MQTT_SERVICE_PASSWORD" device "$MQTT_DEVICE_PASSWORD" >/tmp/passwords
mosquitto_passwd -U /tmp/passwords
if [ -f /mosquitto/data/devices ]; then
    cat /mosquitto/data/devices >>/tmp/passwords # hashed already
fi
unset MQTT_SERVICE_PASSWORD MQTT_DEVICE_PASSWORD
exec mosquitto -c /zelador/mosquitto.conf
