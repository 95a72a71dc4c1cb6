#!/bin/bash
# Runs real programs from Debian 13 beside nipc, each in namespaces of its own (IPC, mounts, processes, network:
# loopback only) and a /dev/shm of its own: what objects each makes, what nipc says of them, and that nipc neither
# advises nor does the removal of what lives. No part of ./test.sh: the first run makes $NATIVEIPC_CACHE/wild by
# debootstrap (4 GB). Needs root.
#
#   eng/wild.sh                all programs; the table goes to artifacts/wild.md, what was seen to artifacts/wild/
#   eng/wild.sh NAME...        these only; eng/wild.sh --list names them
#
# nipc is artifacts/nipc/nipc (eng/tool-aot.sh makes it), or what NIPC names. One line per program, PASS or FAIL.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
cache=${NATIVEIPC_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/nativeipc}
debian=$cache/wild
mirror=${NATIVEIPC_DEBIAN_MIRROR:-http://deb.debian.org/debian}
nipc=${NIPC:-$root/artifacts/nipc/nipc}
. "$root/eng/wild/programs.sh"

if [ "${1:-}" = --list ]; then printf '%s\n' "${programs[@]}"; exit 0; fi
if [ "$(id -u)" != 0 ] || ! unshare --ipc --mount --pid --net --fork true 2>/dev/null; then
    echo 'eng/wild.sh needs root and namespaces.' >&2
    exit 1
fi
if [ ! -x "$nipc" ]; then echo "There is no $nipc: eng/tool-aot.sh makes it." >&2; exit 1; fi

# Debian 13 with all the programs. Nothing is started when they are installed.
make_debian() {
    local list="${packages[*]} util-linux procps iproute2 jq" stamp=$debian/.packages
    [ "$(cat "$stamp" 2>/dev/null)" != "$list" ] || return 0
    if [ ! -d "$debian" ]; then
        echo "Making $debian, some minutes ..."
        rm -rf "$debian.new"
        debootstrap --variant=minbase trixie "$debian.new" "$mirror" || return
        mv "$debian.new" "$debian"
    fi
    printf '#!/bin/sh\nexit 101\n' >"$debian/usr/sbin/policy-rc.d"
    chmod +x "$debian/usr/sbin/policy-rc.d"
    # shellcheck disable=SC2086
    unshare --mount sh -c '
        mount --bind /proc "$1/proc" && mount --bind /dev "$1/dev" && shift && export DEBIAN_FRONTEND=noninteractive &&
            folder=$1 && shift && chroot "$folder" apt-get update -q &&
            chroot "$folder" apt-get install -q -y --no-install-recommends "$@"' \
        sh "$debian" "$debian" $list || return
    printf '%s' "$list" >"$stamp"
}
if ! make_debian >"$cache/wild.log" 2>&1; then
    tail -n 20 "$cache/wild.log" >&2
    echo "Debian 13 could not be made: $cache/wild.log" >&2
    exit 1
fi

out=$root/artifacts/wild
mkdir -p "$out"
status=0
chosen=("$@")
[ $# != 0 ] || chosen=("${programs[@]}")
for name in "${chosen[@]}"; do
    rm -rf "${out:?}/$name"
    mkdir -p "$out/$name"
    # PID 1 of the namespace is the script: with its end everything ends that it started.
    timeout 600 unshare --ipc --mount --propagation private --pid --net --fork \
        bash "$root/eng/wild/one.sh" "$name" "$debian" "$nipc" "$out/$name" \
        >"$out/$name/log" 2>&1
    code=$?
    if [ $code = 0 ]; then
        echo "PASS wild: $name: $(cat "$out/$name/summary")"
    else
        wrong=$(cat "$out/$name/wrong" 2>/dev/null || echo "ended with $code")
        echo "FAIL wild: $name: $wrong, see artifacts/wild/$name"
        status=1
    fi
done

{
    echo '| Program | What it makes while it runs | What `nipc list` says | What `nipc doctor` says |' \
        'Left when ended, and when killed |'
    echo '|---|---|---|---|---|'
    for name in "${programs[@]}"; do cat "$out/$name/row" 2>/dev/null; done
} >"$root/artifacts/wild.md"
exit $status
