#!/usr/bin/env bash
# unbound with shared statistics removes at its start whatever System V segments have the keys 11777 and 11778.
# Guess: `shm-enable` makes one segment of the key; if there is one of another program, unbound says so and ends.
# Seen (unbound 1.17.1): it makes two, of 136 bytes under the key and of some kilobytes under the one after it, with
# mode 644. A segment that has one of the keys is removed first, also when another process has it attached: as root
# whose segment it is does not matter. So two servers with the default key remove each other's. What unbound made it
# removes at its end; a kill leaves it.
. "$(dirname "$0")/lib.sh"
unpack unbound=1.17.1-2+deb12u4 libhiredis0.14=0.14.1-3 libprotobuf-c1=1.4.1-1+b1 libpython3.11=3.11.2-6+deb12u9 \
    libevent-2.1-7=2.1.12-stable-8+deb12u1 libnghttp2-14=1.52.0-1+deb12u3 libsodium23=1.0.18-1+deb12u1
export LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu
cat >configuration <<END
server:
    interface: 127.0.0.1@5399
    chroot: ""
    username: ""
    pidfile: "$work/pid"
    directory: "$work"
    module-config: "iterator"
    num-threads: 1
    do-daemonize: no
    shm-enable: yes
remote-control:
    control-enable: no
END
cat >keep.py <<'END'
import ctypes
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
for key in 11777, 11778:
    segment = libc.shmget(key, 100, 0o1600)
    assert segment >= 0 and libc.shmat(segment, None, 0) != ctypes.c_void_p(-1).value
print('attached', flush=True)
sys.stdin.read()
END
segments() { awk 'NR > 1 { printf "%s %s %s\n", $1, $3, $7 }' /proc/sysvipc/shm; }
# shellcheck disable=SC2317 # called by await
made() { awk '$1 == 11778 && $3 == 644 && $7 > 0' /proc/sysvipc/shm; }
# shellcheck disable=SC2317
kept() { cat kept; }
await() { # COMMAND...: until it says something, for a minute at most
    for ((i = 0; i < 1200; i++)); do [ -z "$("$@")" ] || return 0; sleep 0.05; done
    return 1
}
mkfifo input
python3 keep.py <input >kept &
keeper=$!
exec 3>input
await kept
expect 'of another program: key, mode, users' $'11777 600 1\n11778 600 1' "$(segments)"
root/usr/sbin/unbound -c configuration >log 2>&1 &
server=$!
await made || cat log
# A removed segment that somebody has attached stays, without its key.
expect 'with unbound' $'0 1600 1\n0 1600 1\n11777 644 1\n11778 644 1' "$(segments | sort -n)"
kill $server
wait $server || true
expect 'after its end' $'0 1600 1\n0 1600 1' "$(segments)"
exec 3>&-
wait $keeper
root/usr/sbin/unbound -c configuration >log 2>&1 &
server=$!
await made || cat log
kill -KILL $server
wait $server || true
expect 'after a kill' $'11777 644 0\n11778 644 0' "$(segments)"
finish
