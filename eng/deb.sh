#!/bin/bash
# Makes the Debian package of nipc with Debian's own tools: artifacts/packages/nipc_VERSION_ARCHITECTURE.deb, with the
# native file, the manual page and the completions. Then it looks at the package: one line per check, PASS, FAIL or
# SKIP; non-zero exit when one failed. The native file is artifacts/nipc/nipc, which eng/tool-aot.sh makes, or the first
# argument.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
packages=$root/artifacts/packages
failures=0
pass() { echo "PASS deb: $1"; }
fail() { # NAME REASON
    echo "FAIL deb: $1: $(tr '\n' ' ' <<<"$2")"
    failures=1
}

for tool in dpkg-buildpackage dh dh_bash-completion lintian man; do
    command -v $tool >/dev/null && continue
    if [ "${CI:-}" = true ]; then
        fail "$tool is there" "it is missing (eng/debian-packages.txt)"
    else
        echo "SKIP deb: no $tool (eng/debian-packages.txt)"
    fi
    exit $failures
done
nipc=${1:-$root/artifacts/nipc/nipc}
if [ $# = 0 ] && [ ! -x "$nipc" ] && ! "$root/eng/tool-aot.sh"; then exit 1; fi

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
tree=$work/nipc
mkdir -p "$tree" "$packages"
cp -R "$root/eng/debian" "$tree/debian"
cp "$root/docs/nipc.md" "$root/docs/nipc-json.md" "$tree"
install -m 755 "$nipc" "$tree/nipc"
{
    "$nipc" man >"$tree/nipc.1" &&
        "$nipc" completion bash >"$tree/nipc.bash" &&
        "$nipc" completion zsh >"$tree/_nipc" &&
        "$nipc" completion fish >"$tree/nipc.fish"
} || { fail "page and completions" "nipc did not print them"; exit 1; }

# One source for the version; the date is that of the commit, so that a commit makes the same package again.
version=$("$nipc" --version)
stamp=$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)
export SOURCE_DATE_EPOCH=$stamp
maintainer=$(sed -n 's/^Maintainer: //p' "$tree/debian/control")
cat >"$tree/debian/changelog" <<CHANGELOG
nipc ($version) unstable; urgency=medium

  * See CHANGELOG.md of NativeIpc.

 -- $maintainer  $(date -uRd "@$stamp")
CHANGELOG

if (cd "$tree" && dpkg-buildpackage -b -us -uc --no-sign) >"$work/build.log" 2>&1; then
    pass "dpkg-buildpackage makes it"
else
    sed 's/^/    /' "$work/build.log" >&2
    fail "dpkg-buildpackage makes it" "see above"
    exit 1
fi
package=$(echo "$work"/nipc_*.deb)
rm -f "$packages"/nipc_*.deb
cp "$package" "$packages/"

if said=$(lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$package" 2>&1); then
    pass "lintian finds no error and no warning"
else
    fail "lintian finds no error and no warning" "$said"
fi

dpkg-deb -x "$package" "$work/root"
for file in usr/bin/nipc usr/share/man/man1/nipc.1.gz usr/share/bash-completion/completions/nipc \
    usr/share/zsh/vendor-completions/_nipc usr/share/fish/vendor_completions.d/nipc.fish \
    usr/share/doc/nipc/copyright; do
    if [ -s "$work/root/$file" ]; then pass "it holds $file"; else fail "it holds $file" "missing or empty"; fi
done
said=$(man --warnings -l "$work/root/usr/share/man/man1/nipc.1.gz" 2>&1 >"$work/page")
if [ -z "$said" ] && grep -q 'nipc list' "$work/page"; then
    pass "man shows the page"
else
    fail "man shows the page" "$said"
fi
shown=$(dpkg-deb -f "$package" Depends)
if grep -q 'libc6' <<<"$shown" && ! grep -qi 'dotnet' <<<"$shown"; then
    pass "it needs libc and no .NET ($shown)"
else
    fail "it needs libc and no .NET" "$shown"
fi

# As a user installs and removes it, over a copy of the system that is thrown away.
# shellcheck disable=SC2016
install='
    mount -t tmpfs tmpfs "$2" && for folder in usr var etc; do
        mkdir -p "$2/$folder" "$2/$folder.work" &&
            mount -t overlay -o "lowerdir=/$folder,upperdir=$2/$folder,workdir=$2/$folder.work" overlay "/$folder" ||
                exit 125
    done
    dpkg -i "$1" && nipc --version && man -w nipc && nipc list >/dev/null && dpkg -r nipc && [ ! -e /usr/bin/nipc ]'
mkdir "$work/over"
said=$(cd / && PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    unshare --ipc --mount sh -c "$install" sh "$package" "$work/over" 2>&1)
case $? in
    0) pass "dpkg installs and removes it" ;;
    125) echo "SKIP deb: dpkg installs and removes it: no overlay can be mounted here" ;;
    *) fail "dpkg installs and removes it" "$said" ;;
esac
exit $failures
