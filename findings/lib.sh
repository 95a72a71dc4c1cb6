# shellcheck shell=bash
# What the findings share; read by each of them (". lib.sh"). A finding runs by itself: findings/NAME.sh, as root on
# Debian 12 (x64). It runs in an IPC namespace and with a /dev/shm of its own, and leaves nothing.
set -euo pipefail

# Runs the whole script again in namespaces of its own.
if [ -z "${FINDING_ISOLATED:-}" ]; then
    FINDING_ISOLATED=1 exec unshare --ipc --mount --propagation private bash -c \
        'mount -t tmpfs -o mode=1777 tmpfs /dev/shm && exec bash "$0" "$@"' "$0" "$@"
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# Unpacks Debian packages of a fixed version below $work/root, without installing them.
unpack() { # NAME=VERSION...
    mkdir -p root packages
    (cd packages && apt-get download -q -o APT::Sandbox::User=root "$@" >/dev/null)
    local package
    for package in packages/*.deb; do dpkg -x "$package" root; done
    rm -rf packages
    printf 'package: %s\n' "$@"
}

# The same for packages of another Debian: POOLPATH_VERSION without the architecture, from the pool of the mirror.
unpack_pool() { # PATH...
    mkdir -p root
    local path
    for path; do
        curl -fsS --max-time 120 -o package.deb "http://deb.debian.org/debian/pool/main/${path}_amd64.deb"
        dpkg -x package.deb root
        printf 'package: %s\n' "${path##*/}"
    done
    rm -f package.deb
}

failures=0
# Compares what the real thing said with what it said when the finding was written.
expect() { # WHAT EXPECTED SEEN
    printf '%s: %s\n' "$1" "$3"
    [ "$2" = "$3" ] || { printf 'CHANGED %s: it was: %s\n' "$1" "$2"; failures=1; }
}
finish() {
    [ $failures = 0 ] && echo 'HOLDS'
    exit $failures
}
