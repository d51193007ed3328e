#!/usr/bin/env bash
# Opens a WebSocket, sends the bytes that you give in hex, whatever they are, and prints each
# frame of the server: its header in hex, then its payload as text.
#
#   wspipe --port=8080 head -n 1
#   ./examples/bash/frames.sh ws://localhost:8080/ '81 85 37fa213d 7f9f4d5158'
#
# A third argument is a line of the request, such as 'Sec-WebSocket-Protocol: chat'.

[[ $1 =~ ^ws://([^/:]+):([0-9]+)(/.*)$ ]] || { sed -n '2,/^$/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
exec 3<>"/dev/tcp/${BASH_REMATCH[1]}/${BASH_REMATCH[2]}" || exit 1
printf '%s\r\n' "GET ${BASH_REMATCH[3]} HTTP/1.1" "Host: ${BASH_REMATCH[1]}:${BASH_REMATCH[2]}" \
    'Connection: Upgrade' 'Upgrade: websocket' 'Sec-WebSocket-Version: 13' \
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' ${3:+"$3"} '' >&3
while read -r line <&3 && [ "$line" != $'\r' ]; do
    [[ $line == HTTP/1.1\ 101* || $line == *:* ]] || { echo "$line" >&2; exit 1; }
done

printf "$(tr -d ' ' <<<"$2" | sed 's/../\\x&/g')" >&3

hex() { head -c "$1" <&3 | od -An -v -tx1 | tr -d '\n'; } # the next bytes of the server
number() { echo $((16#$(tr -d ' ' <<<"$*"))); }
while read -r first second <<<"$(hex 2)" && [ -n "$first" ]; do
    size=$(number "$second") more=
    case $size in # the length is in the next 2 or 8 bytes (RFC 6455, section 5.2)
        126) more=$(hex 2) size=$(number "$more") ;;
        127) more=$(hex 8) size=$(number "$more") ;;
    esac
    text="$first $second$more "
    [ "$first" != 88 ] || [ "$size" = 0 ] || text+=" $(number "$(hex 2)")" size=$((size - 2))
    printf '%s ' "$text"
    head -c "$size" <&3 && echo
    [ "$first" != 88 ] || exit 0
done
