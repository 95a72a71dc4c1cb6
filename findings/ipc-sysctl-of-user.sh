#!/usr/bin/env bash
# A user without any right can set kernel.shmmni, kernel.msgmni and fs.mqueue.msg_max, in namespaces of its own.
# Guess: the files of /proc/sys belong to the machine's root; the root of a user namespace is "nobody" there and gets
# "Permission denied", as for most of them.
# Seen (Linux 6.18): in a user and IPC namespace of an unprivileged user the limits can be set, up and down; they hold
# there and the machine keeps its own. The files show the user's root as owner. vm.memfd_noexec is refused.
. "$(dirname "$0")/lib.sh"
printf 'kernel: %s\n' "$(uname -r)"
cat >user.sh <<'S'
set_to() { if echo "$2" 2>/dev/null >"/proc/sys/$1"; then echo set; else echo refused; fi; }
echo "owner $(stat -c %u /proc/sys/kernel/shmmni)"
echo "shmmni $(set_to kernel/shmmni 1)"
echo "msgmni $(set_to kernel/msgmni 5)"
echo "msg_max $(set_to fs/mqueue/msg_max 50)"
echo "memfd_noexec $(set_to vm/memfd_noexec 1)"
ipcmk -M 100 >/dev/null && echo 'first segment made'
ipcmk -M 100 >/dev/null 2>&1 || echo 'second refused'
S
chmod 755 "$work"
before=$(cat /proc/sys/kernel/{shmmni,msgmni} /proc/sys/fs/mqueue/msg_max)
seen=$(setpriv --reuid 51234 --regid 51234 --clear-groups unshare --user --map-root-user --ipc bash user.sh 2>&1)
made='first segment made|second refused'
expect 'as user 51234' "owner 0|shmmni set|msgmni set|msg_max set|memfd_noexec refused|$made" \
    "$(paste -sd '|' <<<"$seen")"
expect 'outside' "$before" "$(cat /proc/sys/kernel/{shmmni,msgmni} /proc/sys/fs/mqueue/msg_max)"
finish
