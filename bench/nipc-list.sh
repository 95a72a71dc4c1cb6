#!/usr/bin/env bash
# What `nipc list` costs beside lsof, lsipc (Debian 13) and ipcs, with 100, 5,000 and 50,000 POSIX objects, and how it
# starts: wall time and processor time as the median of 11 rounds, each as a ratio of the peer in the same round.
#
#   bench/nipc-list.sh NIPC [COUNT...]     NIPC is a built tool, the native one or that of `dotnet build`
#
# Needs root, for an IPC namespace and a /dev/shm of its own, python3, lsof, and the lsipc of eng/peers.sh's trixie
# folder; a peer that is missing has no row. Nothing is asserted: the targets stand beside the ratios.
set -euo pipefail
if [ "${NIPC_BENCH_INSIDE:-}" != 1 ]; then
    [ $# -gt 0 ] || { sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 2; }
    exec env NIPC_BENCH_INSIDE=1 unshare -im --propagation private -- bash -c \
        'mount -t tmpfs -o mode=1777,size=2g,nr_inodes=200k tmpfs /dev/shm; exec "$@"' bench "$0" "$@"
fi
trixie=${NATIVEIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nativeipc}/trixie
libraries=$(find "$trixie/usr/lib" -maxdepth 1 -name '*-linux-gnu' 2>/dev/null | head -n 1)
lsipc=
if [ -x "$trixie/usr/bin/lsipc" ]; then
    loader=$(find "$libraries" -maxdepth 1 -name 'ld-linux-*.so.*' | head -n 1)
    lsipc="$loader --library-path $libraries $trixie/usr/bin/lsipc"
fi
exec python3 "$(dirname "$0")/nipc-list.py" "$lsipc" "$@"
