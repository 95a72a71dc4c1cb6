#!/usr/bin/env bash
# GNU make 4.3 below a parallel make 4.4, and bmake below any parallel GNU make, stop before they do anything.
# Guess: a make that cannot use the job server of its parent says so, as "jobserver unavailable: using -j1", and builds.
# Seen (make 4.4.1, make 4.3, bmake 20200710): 4.3 ends with "internal error: invalid --jobserver-auth string"; bmake
# reads MAKEFLAGS too, and ends with "illegal argument to -j". --jobserver-style=pipe helps 4.3; bmake needs an empty
# MAKEFLAGS.
. "$(dirname "$0")/lib.sh"
unpack make=4.3-4.1 bmake=20200710-15+b1
export MAKE43=$work/root/usr/bin/make43 BMAKE="$work/root/usr/bin/bmake -m $work/root/usr/share/mk -r"
mv root/usr/bin/make "$MAKE43"
unpack_pool m/make-dfsg/make_4.4.1-2 g/glibc/libc6_2.41-12
libraries=$work/root/usr/lib/x86_64-linux-gnu
unset MAKEFLAGS MAKELEVEL
make44() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$work/root/usr/bin/make" "$@"; }
printf 'all:\n\t@echo built\n' >below.mk
printf 'gnu:\n\t+@$(MAKE43) -f below.mk\nbsd:\n\t+@$(BMAKE) -f below.mk\n' >top.mk
printf 'empty:\n\t+@MAKEFLAGS= $(BMAKE) -f below.mk\n' >>top.mk
run() { # the line that tells it, and the exit code
    local code=0
    "$@" -f top.mk >said 2>&1 || code=$?
    printf '%s, exit code %s' "$(grep -oE '^built|internal error.*string|illegal argument to -j' said)" "$code"
}
expect '4.3 below 4.4' 'internal error: invalid --jobserver-auth string, exit code 2' "$(run make44 -j2 gnu)"
expect '4.3 below 4.4, with a pipe' 'built, exit code 0' "$(run make44 -j2 --jobserver-style=pipe gnu)"
expect '4.3 below 4.4, without -j' 'built, exit code 0' "$(run make44 gnu)"
expect 'bmake below 4.4' 'illegal argument to -j, exit code 2' "$(run make44 -j2 bsd)"
expect 'bmake below 4.3' 'illegal argument to -j, exit code 2' "$(run "$MAKE43" -j2 bsd)"
expect 'bmake below 4.3, MAKEFLAGS empty' 'built, exit code 0' "$(run "$MAKE43" -j2 empty)"
finish
