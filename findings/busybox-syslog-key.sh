#!/usr/bin/env bash
# The circular log of busybox's syslogd is a System V segment and set of one fixed key, which a kill leaves.
# Guess: `syslogd -C` keeps the log in memory of its own, which goes with it, and logread asks it by a socket.
# Seen (busybox 1.35.0): both are made under the key 0x414e4547, the segment with mode 0644 and the set with 0777, and
# logread maps them, without the daemon too. After SIGKILL both stay: logread still shows the old log, and a daemon with
# a larger -C ends with "shmget: Invalid argument"; one with a smaller -C goes on with the old one.
. "$(dirname "$0")/lib.sh"
unpack busybox=1:1.35.0-4+deb12u1+b1
busybox=$(find "$work/root" -path '*bin/busybox')
mkdir dev
mount -t tmpfs tmpfs dev
mknod dev/null c 1 3
mount --move dev /dev
objects() {
    awk 'NR > 1 { printf "segment %x %s %s, ", $1, $3, $4 }' /proc/sysvipc/shm
    awk 'NR > 1 { printf "set %x %s", $1, $3 }' /proc/sysvipc/sem
}
until_log() { for _ in $(seq 200); do "$busybox" logread 2>/dev/null | grep -q "$1" && break; sleep 0.05; done; }
"$busybox" syslogd -n -C16 &
daemon=$!
until_log started
"$busybox" logger first
until_log first
expect 'while it runs' 'segment 414e4547 644 16384, set 414e4547 777' "$(objects)"
kill -KILL $daemon
wait $daemon 2>/dev/null || true
expect 'after a kill' 'segment 414e4547 644 16384, set 414e4547 777' "$(objects)"
expect 'logread' 'first' "$("$busybox" logread | grep -o 'first$')"
code=0
timeout 60 "$busybox" syslogd -n -C64 2>said || code=$?
expect 'a larger one' '1, syslogd: shmget: Invalid argument' "$code, $(cat said)"
"$busybox" syslogd -n -C8 &
daemon=$!
until_log 'started.*started'
for _ in $(seq 200); do [ "$("$busybox" logread | grep -c started)" = 2 ] && break; sleep 0.05; done
kill $daemon
wait $daemon 2>/dev/null || true
expect 'after a smaller one, and SIGTERM' '' "$(objects)"
finish
