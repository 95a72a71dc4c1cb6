#!/usr/bin/env bash
# The FIFO of GNU make 4.4's job server is named after the PID alone, so the second container with the same PID and /tmp
# gets none; nor does the next make after one that was killed.
# Guess: a name that is taken is tried again with another one, as mkstemp does, or an old FIFO is replaced.
# Seen (make 4.4.1): "jobserver mkfifo: ...: File exists", and it goes on with a pipe, which not each client takes; with
# --jobserver-style=fifo it stops, as "unknown jobserver auth style". A left FIFO stays there for ever.
. "$(dirname "$0")/lib.sh"
unpack_pool m/make-dfsg/make_4.4.1-2 g/glibc/libc6_2.41-12
libraries=$work/root/usr/lib/x86_64-linux-gnu
make44() { # as PID 1 of a container
    unshare --pid --fork --mount-proc env -u MAKEFLAGS -u MAKELEVEL TMPDIR="$work/shared" \
        "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$work/root/usr/bin/make" -j2 "$@"
}
mkdir shared
printf 'all:\n\t+@echo "$(MAKEFLAGS)" | sed "s,fifo:.*/,fifo:,"\n' >flags.mk
printf 'all:\n\t@touch runs; read -r line <go\n' >hold.mk
flags() { make44 "$@" -f flags.mk 2>said; }
said() { grep -oE 'mkfifo:|File exists|unknown jobserver auth style .fifo.' said | paste -sd ' '; }
expect 'alone' '-j2 --jobserver-auth=fifo:GMfifo1' "$(flags | sed 's/^ *//')"
mkfifo go
make44 -f hold.mk &
until [ -e runs ]; do sleep 0.05; done
expect 'beside another one' '-j2 --jobserver-auth=3,4' "$(flags | sed 's/^ *//')"
expect 'it says' 'mkfifo: File exists' "$(said)"
echo >go
wait
expect 'left at the end' '' "$(ls shared)"
mkfifo shared/GMfifo1
expect 'after one that was killed' '-j2 --jobserver-auth=3,4' "$(flags | sed 's/^ *//')"
code=0
flags --jobserver-style=fifo || code=$?
expect 'with --jobserver-style=fifo' "2, mkfifo: File exists unknown jobserver auth style 'fifo'" "$code, $(said)"
expect 'still there' 'GMfifo1' "$(ls shared)"
finish
