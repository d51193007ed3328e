#!/bin/bash
# A room on all nodes of a cluster, with an MQTT broker such as Mosquitto:
#
#     wspipe --share=broadcast --share-by=path --replay=50 --setenv=MQTT_URL=mqtt://10.0.0.9:1883 ./room-mosquitto.sh
#
# The broker puts the messages in order, so the order is the same on all nodes. With
# QoS 1 and the client IDs below, the broker keeps what a node misses. NODE must differ
# between nodes and stay the same for a node; the default is the host's name.
set -u
LC_ALL=C
room=${PATH_INFO-}
[[ $room =~ ^/[A-Za-z0-9_-]+$ ]] || { echo 'a room is a path of letters, digits, _ and -'; exit 1; }
id=${NODE:-$HOSTNAME}$room
url=${MQTT_URL:-mqtt://127.0.0.1}/room$room

mosquitto_pub -L "$url" -i "$id-in" -c -q 1 -l <&0 &
exec mosquitto_sub -L "$url" -i "$id-out" -c -q 1 -F %p
