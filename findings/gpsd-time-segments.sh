#!/usr/bin/env bash
# gpsd makes eight System V segments with the keys of ntpd, although there is no receiver and no time daemon, and leaves
# them; chronyd makes the one that it is to read from.
# Guess: gpsd opens the segments of a time daemon when it has a time to tell, and chronyd waits for the segment of gpsd;
# the maker removes it.
# Seen (gpsd 3.22, chrony 4.3): as root, gpsd makes NTP0 to NTP7 (0x4e545030 and so on) when it starts, the first two
# with mode 600 and the others with 666, all of 96 bytes, and they stay when it has ended. chronyd with
# `refclock SHM 3` makes NTP3 with mode 600 if it comes first; that stays, too. So a segment with such a key and no
# user is neither a crash's nor the other daemon's.
. "$(dirname "$0")/lib.sh"
unpack gpsd=3.22-4.1+deb12u1 libbluetooth3=5.66-1+deb12u2 libusb-1.0-0=2:1.0.26-1 chrony=4.3-2+deb12u3
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu
segments() { awk 'NR > 1 { printf "%x %s %s %s\n", $1, $3, $4, $7 }' /proc/sysvipc/shm; }
await() { # COMMAND...: until it says something, for a minute at most
    for ((i = 0; i < 1200; i++)); do [ -z "$("$@")" ] || return 0; sleep 0.05; done
    return 1
}
stop() { kill "$1"; wait "$1" || true; }
root/usr/sbin/chronyd -x -d -u root 'refclock SHM 3' 'port 0' 'cmdport 0' 'bindcmdaddress /' \
    "pidfile $work/chronyd.pid" >log 2>&1 &
daemon=$!
await segments || cat log
expect 'chronyd: key, mode, bytes, users' '4e545033 600 96 1' "$(segments)"
stop $daemon
expect 'after its end' '4e545033 600 96 0' "$(segments)"
ipcrm -M 0x4e545033
root/usr/sbin/gpsd -N -n -S 29470 -F "$work/control" >log 2>&1 &
daemon=$!
# shellcheck disable=SC2317 # called by await
ready() { [ "$(segments | wc -l)" -lt 8 ] || echo ready; }
await ready || cat log
stop $daemon
expect 'gpsd, after its end' "$(printf '4e54503%d %s 96 0\n' 0 600 1 600 2 666 3 666 4 666 5 666 6 666 7 666)" \
    "$(segments)"
finish
