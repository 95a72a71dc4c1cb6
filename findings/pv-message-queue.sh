#!/usr/bin/env bash
# Each pv, in a plain pipe too, makes a System V message queue, one for all of its user's, and the first to end removes
# it.
# Guess: pv makes no such objects; --remote works by signals and a file.
# Seen (pv 1.6.20): the queue's key is that of /tmp, "P" and the user's number, its mode 0600. The end of any other pv
# of the user removes it under those that run. A killed pv leaves it. Root cannot speak to the pv of another user:
# "message not received".
. "$(dirname "$0")/lib.sh"
unpack pv=1.6.20-1
pv=$work/root/usr/bin/pv
chmod 755 "$work"
mkfifo first second
chmod 666 first second
exec 7<>first 8<>second
queues() { awk 'NR > 1 { printf "%s for %s", $3, $8 }' /proc/sysvipc/msg; }
count() { awk 'NR > 1' /proc/sysvipc/msg | wc -l; }
until_count() { for _ in $(seq 200); do [ "$(count)" = "$1" ] && break; sleep 0.05; done; }
"$pv" -q <first >/dev/null &
long=$!
until_count 1
expect 'one pv' '600 for 0' "$(queues)"
expect 'its key' 'ftok of /tmp, P' "$(perl -MIPC::SysV=ftok -e 'print defined msgget(ftok("/tmp", ord "P"), 0)
    ? "ftok of /tmp, P" : "another"')"
echo text | "$pv" -q >/dev/null
expect 'after a second one' '' "$(queues)"
expect 'the first one runs' 'yes' "$(kill -0 $long && echo yes)"
kill $long
wait $long 2>/dev/null || true
setpriv --reuid 51234 --clear-groups "$pv" -q <second >/dev/null &
long=$!
until_count 1
code=0
"$pv" -R $long -L 10 2>said || code=$?
expect 'root speaks to the pv of a user' '1, message not received' "$code, $(grep -o 'message not received' said)"
kill -KILL $long
wait $long 2>/dev/null || true
expect 'left by a killed one' '600 for 51234' "$(queues)"
finish
