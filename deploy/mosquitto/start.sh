#!/bin/sh
# Makes the password file from the environment, and becomes Mosquitto.
# /tmp is in memory; the passwords are hashed in place, so that no command line ever holds one.
set -eu
umask 077
case "$MQTT_SERVICE_PASSWORD $MQTT_DEVICE_PASSWORD" in
    *change-me*) echo "the passwords are those of .env.example; change them in .env before others can reach this" >&2 ;;
esac
printf '%s:%s\n' zelador "$MQTT_SERVICE_PASSWORD" device "$MQTT_DEVICE_PASSWORD" >/tmp/passwords
mosquitto_passwd -U /tmp/passwords
unset MQTT_SERVICE_PASSWORD MQTT_DEVICE_PASSWORD
exec mosquitto -c /zelador/mosquitto.conf
