#!/usr/bin/env bash
# containers.sh: the essential part of the library (NativeIpc.Peer --essentials) in sandboxes and containers, made of
#     what they are made of: filters of system calls, name spaces, mounts, cgroups. Writes docs/containers.md.
. "$(dirname "$0")/lib.sh"
confine=$root/eng/platforms/confine.py
dotnet publish "$root/tests/NativeIpc.Peer" -nologo -v q -c Release -r linux-x64 -p:PublishAot=true \
    -p:RunAnalyzers=false -p:CppCompilerAndLinker=clang --artifacts-path "$out/build" -o "$out/peer" \
    >"$out/publish.log" 2>&1 || { tail -n 20 "$out/publish.log" >&2; exit 1; }
[ -e /usr/lib/x86_64-linux-gnu/libseccomp.so.2 ] || unable "libseccomp2 is missing"
peer=$out/peer/NativeIpc.Peer
export peer confine
facts apart "$peer"

# The profiles are those of Debian 13's packages; the lists of calls are what systemd says of itself.
debian trixie
if [ ! -e "$cache/seccomp/podman.json" ]; then
    mkdir -p "$cache/seccomp" "$debian/tmp/nativeipc"
    apart chroot "$debian" sh -c 'cd /tmp/nativeipc && apt-get -q update &&
        apt-get -q download golang-github-docker-docker-dev golang-github-containers-common &&
        for package in *.deb; do dpkg-deb -x $package files; done' >"$out/profiles.log" 2>&1 ||
        unable "Debian's packages with the profiles could not be had; see $out/profiles.log"
    files=$debian/tmp/nativeipc/files
    find "$files" -path '*/profiles/seccomp/default.json' -exec cp {} "$cache/seccomp/docker.json" \;
    find "$files" -name seccomp.json -exec cp {} "$cache/seccomp/podman.json" \;
    rm -rf "$debian/tmp/nativeipc"
fi
expand() { # SET, by the systemd-analyze that follows: its calls, those of its sets too
    local set=$1 line
    shift
    while read -r line; do
        case $line in
            '#'* | "$set" | '') ;;
            @*) expand "$line" "$@" ;;
            *) echo "$line" ;;
        esac
    done < <("$@" systemd-analyze syscall-filter "$set")
}
new=$(systemd-analyze --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')
expand @system-service env >"$out/systemd-$new.txt"
debian bullseye systemd
old=$(apart chroot "$debian" systemd-analyze --version | sed -n '1s/systemd \([0-9]*\).*/\1/p')
expand @system-service apart chroot "$debian" >"$out/systemd-$old.txt"
# What systemd 239, the first with this set, does not name of it, on x64, by its source. glibc of that time knew no
# clone3; later ones start no thread where it is refused, and begin with another call where it is not there.
printf '%s\n' clone3 close_range faccessat2 io_pgetevents io_uring_enter io_uring_register io_uring_setup openat2 \
    pidfd_open pidfd_send_signal rseq | grep -vxF -f - "$out/systemd-$old.txt" >"$out/systemd-239.txt"
echo 'clone3 ENOSYS' >>"$out/systemd-239.txt"

number=10
# place TITLE WHAT EXPECTED SCRIPT: the script makes the place and runs "$@" in it, in IPC and mount name spaces of its
# own, with an empty /dev/shm and /tmp. EXPECTED is a pattern of what cannot work there, as "systemv .*".
place() {
    local title=$1 what=$2 expected=$3 script=$4 file
    number=$((number + 1))
    file=$out/results/$number.place
    # shellcheck disable=SC2016 # for the inner shell
    bounded 120 unshare --ipc --mount --kill-child --fork bash -c '
        mount -t tmpfs -o mode=1777 tmpfs /dev/shm && mount -t tmpfs -o mode=1777 tmpfs /tmp || exit 125
        mkdir -m 700 /tmp/runtime
        export TMPDIR=/tmp XDG_RUNTIME_DIR=/tmp/runtime HOME=/root
        script=$1
        shift
        eval "$script"' sh "$script" "$peer" --essentials "${prefix:-nativeipc-}" \
        >"$out/results/$number.said" 2>"$out/results/$number.errors"
    local code=$?
    if [ $code = 77 ]; then
        echo "SKIP $title: $(tail -n 1 "$out/results/$number.errors")" >>"$out/results/all.txt"
        return
    fi
    { echo "$title"; echo "$what"; grep -P '^(posix|systemv)\t' "$out/results/$number.said"; } >"$file"
    awk -F'\t' -v title="$title" -v expected="^($expected)$" -v code=$code '
        NR > 2 {
            any = 1
            if ($3 == "ok") print "PASS " title ": " $1 " " $2
            else if (($1 " " $2) ~ expected) print "PASS " title ": " $1 " " $2 " cannot work, and says why: " $4
            else print "FAIL " title ": " $1 " " $2 ": " $4
        }
        END { if (!any || code != 0) print "FAIL " title ": it ended with " code }' "$file" >>"$out/results/all.txt"
}

rights=chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap,+setpcap,+net_bind_service
container="setpriv --inh-caps=-all --bounding-set=-all,+$rights,+sys_chroot,+kill,+audit_write"
export container
user='chown 12345:12345 /tmp/runtime; setpriv --reuid=12345 --regid=12345 --clear-groups'
has() { # OPTIONS
    echo "mount -t tmpfs -o mode=1777,$1 tmpfs /dev/shm || { echo 'this kernel has no tmpfs with $1' >&2; exit 77; }"
}

place 'as it is' 'root, nothing confined' - '"$@"'
place Docker "its seccomp profile and capabilities (Debian 13's package)" - \
    "$container \$confine profile '$cache/seccomp/docker.json' \"\$@\""
place Podman "its seccomp profile and capabilities (Debian 13's package)" - \
    "$container \$confine profile '$cache/seccomp/podman.json' \"\$@\""
place "systemd $new" '`SystemCallFilter=@system-service`, EPERM' - "\$confine list '$out/systemd-$new.txt' \"\$@\""
place "systemd $old" '`SystemCallFilter=@system-service`, EPERM' - "\$confine list '$out/systemd-$old.txt' \"\$@\""
place 'systemd 239' "the same without what was added since; \`clone3\` is not there" - \
    "\$confine list '$out/systemd-239.txt' \"\$@\""
place 'like gVisor' 'no leases, no locks of open file descriptions, no `O_TMPFILE`, no io_uring, no futex_waitv' \
    'posix recover' \
    '$confine gvisor "$@"'
prefix=snap.nativeipc. place 'strict snap' 'only `snap.NAME.*` in `/dev/shm`, refused with EACCES' \
    'posix event' \
    '$confine names snap.nativeipc. "$@"'
place 'user name space, mapped' 'root inside is root outside' - \
    'unshare --user --map-root-user --ipc --mount --pid --fork --mount-proc bash -c "
        mount -t tmpfs -o mode=1777 tmpfs /dev/shm && \"\$@\"" sh "$@"'
place 'user name space, not mapped' 'the user and all owners are 65534' \
    '(posix|systemv) (make|open|lock|wait|event|recover)' 'unshare --user "$@"'
place 'another user' 'no rights, in a /dev/shm of all users' - "$user \"\$@\""
place 'PID name space' 'the program is PID 1 in it' - 'unshare --pid --fork --mount-proc "$@"'
place 'read-only root' 'all but `/dev/shm` and `/tmp`' - 'mount -o bind,remount,ro / && "$@"'
place 'nothing writable' 'all but `/dev/shm`' 'systemv .*' \
    'mount -o bind,remount,ro / && mount -o remount,ro /tmp && "$@"'
place 'no /dev/shm' '' 'posix .*' 'mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 &&
    mknod -m 666 /dev/zero c 1 5 && mknod -m 666 /dev/urandom c 1 9 && "$@"'
place 'no /proc' '' '(posix|systemv) list' 'mount -t tmpfs tmpfs /proc && "$@"'
place 'hidepid=2' 'another user, who sees no process of others' - \
    "mount -t proc -o hidepid=2 proc /proc && $user \"\$@\""
place '/dev/shm of 64 MiB' "as Docker's" - 'mount -t tmpfs -o mode=1777,size=64m tmpfs /dev/shm && "$@"'
place 'memory cgroup' 'of 64 MiB' - '
    group=/sys/fs/cgroup/memory/nativeipc-$$
    mkdir $group && echo 64M >$group/memory.limit_in_bytes ||
        { echo "no memory cgroup (version 1) can be made here" >&2; exit 77; }
    (echo $BASHPID >$group/cgroup.procs && exec "$@")
    code=$?
    rmdir $group
    exit $code'
place 'tmpfs, huge=always' 'pages of 2 MiB' - "$(has huge=always); \"\$@\""
place 'tmpfs, noswap' '' - "$(has noswap); \"\$@\""
place 'tmpfs, quotas' '`usrquota`' - "$(has usrquota,usrquota_block_hardlimit=16M); \"\$@\""
lines places 10 cat "$out/results/all.txt"
[ -n "$short$no_rows" ] || python3 "$root/eng/platforms/table.py" places "$root/docs/containers.md" "$out/results"
