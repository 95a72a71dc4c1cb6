#!/usr/bin/env bash
# How long `nipc list --json` takes with 100, 1,000 and 10,000 POSIX objects and two fifths as many System V segments with key files (at most 4,000: SHMMNI is 4096).
# Usage: bench/nipc-list.sh NIPC...   each NIPC a built tool: the one of `dotnet build`, the native one. Needs root, for an IPC namespace and a /dev/shm of its own.
set -euo pipefail
if [ "${NIPC_BENCH_INSIDE:-}" != 1 ]; then
    [ $# -gt 0 ] || { sed -n '2,3s/^# //p' "$0"; exit 2; }
    exec env NIPC_BENCH_INSIDE=1 unshare -im --propagation private -- bash -c 'mount -t tmpfs -o mode=1777 tmpfs /dev/shm; exec "$@"' bench "$0" "$@"
fi
XDG_RUNTIME_DIR=$(mktemp -d)
export XDG_RUNTIME_DIR
trap 'rm -rf "$XDG_RUNTIME_DIR"' EXIT
make='
import ctypes, os, struct, sys
first, last = int(sys.argv[1]), int(sys.argv[2])
libc = ctypes.CDLL(None)
for i in range(first, last):
    with open(f"/dev/shm/sem.bench{i - 1}" if i % 2 else f"/dev/shm/bench{i}", "wb") as file:
        if i % 2: file.write(struct.pack("<Q24x", 1))
        else: file.truncate(4096)
for i in range(first * 2 // 5, last * 2 // 5):
    path = os.path.join(os.environ["XDG_RUNTIME_DIR"], f"bench{i}")
    open(path, "w").close()
    if libc.shmget(libc.ftok(path.encode(), 81), 4096, 0o1600) == -1: sys.exit(f"shmget: {os.strerror(ctypes.get_errno())} for {path}")
'
printf '%8s %9s  %-40s %9s %9s %9s\n' POSIX 'System V' tool 'best s' 'median s' 'MB of JSON'
have=0
for count in 100 1000 10000; do
    python3 -c "$make" "$have" "$count"
    have=$count
    for tool in "$@"; do
        times=()
        for _ in 1 2 3 4 5; do
            start=$(date +%s%N)
            "$tool" list --json > "$XDG_RUNTIME_DIR/.out" 2>/dev/null
            times+=("$(( ($(date +%s%N) - start) / 1000000 ))")
        done
        mapfile -t sorted < <(printf '%s\n' "${times[@]}" | sort -n)
        size=$(stat -c %s "$XDG_RUNTIME_DIR/.out")
        found=$(grep -c '"kind":' "$XDG_RUNTIME_DIR/.out")
        [ "$found" -ge $(( count + count * 2 / 5 )) ] || { echo "only $found objects were listed" >&2; exit 1; }
        printf '%8d %9d  %-40s %5d.%03d %5d.%03d %9s\n' "$count" $(( count * 2 / 5 )) "$(echo "$tool" | tail -c 40)" $(( sorted[0] / 1000 )) $(( sorted[0] % 1000 )) $(( sorted[2] / 1000 )) $(( sorted[2] % 1000 )) \
            "$(awk "BEGIN { printf \"%.1f\", $size / 1e6 }")"
    done
done
