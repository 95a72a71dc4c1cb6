#!/usr/bin/env bash
# numad makes a System V message queue under the key 0xdeadbeef, even when it is only asked for advice, and leaves it.
# Guess: the daemon is spoken to by a socket or signals; `numad -w`, which asks without a daemon, makes no objects.
# Seen (numad 0.5+20150602): `numad -w 1:10` answers, and a queue with mode 0660 is there, and stays.
. "$(dirname "$0")/lib.sh"
unpack numad=0.5+20150602-8+b1
mount -t tmpfs tmpfs /var/log
mount -t tmpfs tmpfs /run
code=0
timeout 60 "$work/root/usr/bin/numad" -w 1:10 >said || code=$?
expect 'exit code' '0' "$code"
expect 'it answers' '1 line' "$(wc -l <said) line"
expect 'queue left' 'deadbeef 660' "$(awk 'NR > 1 { print $1, $3 }' /proc/sysvipc/msg | {
    read -r key mode && printf '%x %s' $((key & 0xffffffff)) "$mode"; })"
finish
