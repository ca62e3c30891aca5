#!/bin/sh -eu
interface=$(ip -o -4 address show to 10.0.0.12/32 | awk 'NR == 1 { print $2 }')
if [ -z "$interface" ]; then
  echo "no interface has the address 10.0.0.12" >&2
  exit 1
fi
echo "\$INTERFACE=$interface" >/run/spillway-api-address/interface.conf
