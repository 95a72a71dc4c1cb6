#!/bin/busybox sh
# The first and only program of the emulated machine: one line PASS or FAIL per check, on the console.
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm /tmp
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
ip link set lo up
export LD_LIBRARY_PATH=/lib/aarch64-linux-gnu XDG_RUNTIME_DIR=/tmp/rt TMPDIR=/tmp
mkdir -m 700 /tmp/rt
cd /root || exit
kills=$(sed -n 's/.*kills=\([0-9]*\).*/\1/p' /proc/cmdline)
what=$(sed -n 's/.*what=\([a-z]*\).*/\1/p' /proc/cmdline)
if [ "$what" = clr ]; then
    # Else .NET writes code through another mapping of its page than it runs it by, and ends with SIGSEGV under QEMU 7.2
    # (docs/platforms.md).
    export DOTNET_EnableWriteXorExecute=0
    # To compile is slow to emulate: once is enough.
    export DOTNET_TieredPGO=0
    export DOTNET_ROOT=/dotnet DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 NATIVEIPC_SLOWNESS=10 \
        NATIVEIPC_STRESS_SECONDS=8 NATIVEIPC_RACE_ROUNDS=20 NATIVEIPC_PEER=/root/NativeIpc.Peer/NativeIpc.Peer
    printf 'FACTS\t'
    $NATIVEIPC_PEER --platform
    minutes=$(sed -n 's/.*minutes=\([0-9]*\).*/\1/p' /proc/cmdline)
    set -f
    while read -r type chosen <&3; do
        up=$(cut -d . -f 1 /proc/uptime)
        if [ "$up" -ge $((minutes * 60)) ]; then
            printf 'LEFT\t%s\t%s\n' "$type" "$chosen"
            continue
        fi
        rm -f /tmp/result.xml
        # shellcheck disable=SC2086 # words
        NativeIpc.Conformance/NativeIpc.Conformance -noColor -noAutoReporters -reporter verbose \
            -result-xml /tmp/result.xml $chosen </dev/null
        code=$?
        sed 's/^/XML\t/' /tmp/result.xml
        printf '\nPART\t%s\t%s\n' "$type" "$code"
    done 3</root/parts
    echo 'ENDED 0'
    poweroff -f
fi
printf 'FACTS\t'
./NativeIpc.Peer --platform

if [ "$what" = count ]; then
    # What the kernel has to do after its start shall not be counted; with nothing to do its clock leaps.
    sleep 60
    ./clock
    # The hottest operations, each by both programs; of rings what takes one processor.
    operations='posix.try_pair posix.wait_pair sysv.pair lock.posix lock.sysv event.pair posix.sem.open posix.sem.create
        sysv.sem.open posix.shm4k.attach_detach posix.shm4k.create_destroy pp.posix.1 ring.trip.1'
    for program in yard_c NativeIpc.Yardstick; do
        # shellcheck disable=SC2086 # words
        { ./$program $operations; echo $? >/tmp/code; } | while read -r line; do
            printf 'COUNT\t%s\t%s\n' $program "$line"
        done
        read -r code </tmp/code
        [ "$code" = 0 ] && echo "PASS counts of $program" || echo "FAIL counts of $program: it ended with $code"
    done
    echo 'ENDED 0'
    poweroff -f
fi

check() { # NAME CONDITION...: a test of test(1)
    name=$1
    shift
    if [ "$@" ]; then echo "PASS $name"; else echo "FAIL $name: not so: $*"; fi
}
command() { echo "$1"; } # a line for a peer

steps() { # WHERE COMMAND...
    where=$1
    shift
    "$@" >/tmp/aot
    check "$where: every step" "$(tail -n 1 /tmp/aot)" = 'all ok'
    sed -n "s/^ok /PASS $where: /p; s/^FAILED/FAIL $where:/p" /tmp/aot
}
essentials() { # WHERE [WORD...]: words before the command
    where=$1
    shift
    "$@" ./NativeIpc.Peer --essentials arm- | while read -r type step result reason; do
        [ "$result" = ok ] && echo "PASS $where: $type $step" || echo "FAIL $where: $type $step: $reason"
    done
}
grep -q atomics /proc/cpuinfo && lse=yes || lse=no
echo "the processor has LSE: $lse"
steps 'native AOT' ./NativeIpc.Aot
essentials essentials
# Each thread makes its fences itself then (ProcessBarrier).
steps 'native AOT, membarrier refused' ./unfenced ./NativeIpc.Aot
essentials 'membarrier refused' ./unfenced
# A kernel that lacks one of these says so: quotas, in that of Debian 13 too.
for options in huge=always noswap usrquota,usrquota_block_hardlimit=16M; do
    if mount -t tmpfs -o "mode=1777,$options" tmpfs /dev/shm 2>/tmp/why; then
        essentials "tmpfs, $options"
        umount /dev/shm
    else
        echo "SKIP tmpfs, $options: $(cat /tmp/why)"
    fi
done
if mount -t tmpfs -o mode=1777,usrquota,usrquota_block_hardlimit=1M tmpfs /dev/shm 2>/dev/null; then
    chmod 755 /root
    check 'tmpfs with quotas: a segment of more than the quota is refused' "$(
        { command 'shm create a posix:/large 4194304'; command exit; } | ./as-user ./NativeIpc.Peer | sed -n 1p |
            cut -d ' ' -f 1-2
    )" = 'error OutOfResources'
    check 'tmpfs with quotas: nothing is left of it' -z "$(ls -A /dev/shm)"
    check 'tmpfs with quotas: one of less is made' "$(
        { command 'shm create a posix:/small 262144'; command 'shm close a'; command exit; } |
            ./as-user ./NativeIpc.Peer | sed -n 1p
    )" = 'ok 262144 created'
    umount /dev/shm
fi

for type in posix systemv; do
    key=$type:/tmp/k
    semaphore=$type:/tmp/s
    [ $type = systemv ] || { key=posix:/k; semaphore=posix:/s; }
    rm -f /tmp/to /tmp/from
    mkfifo /tmp/to /tmp/from
    ./NativeIpc.Peer </tmp/to >/tmp/from &
    exec 6>/tmp/to 7</tmp/from
    command "shm create a $key 100 keep" >&6
    read -r answer <&7
    command 'shm write a 0 00000000' >&6
    read -r answer <&7
    # Made by this library, the lock of System V tells of the dead; made by C it does not.
    command 'shm add a 4 1' >&6
    read -r answer <&7
    read -r answer <&7
    for program in ./NativeIpc.Peer ./peer-c './unfenced ./NativeIpc.Peer'; do
        # shellcheck disable=SC2086 # words
        { command "shm open a $key rw"; command 'shm add a 0 20000'; command exit; } | $program >/dev/null &
        pids="$pids $!"
    done
    # shellcheck disable=SC2086 # numbers
    wait $pids
    pids=
    command 'shm read a 0 4' >&6
    read -r _ answer <&7
    check "$type: 60,000 additions under one lock: C, and one without membarrier, too" "$answer" = 60ea0000

    # The keeper locks, and is killed with the lock.
    command 'shm lock a' >&6
    read -r answer <&7
    read -r answer <&7
    keeper=$(pidof NativeIpc.Peer)
    check "$type: one process has the lock" "$(
        { command "shm open a $key rw"; command 'shm trylock a'; command exit; } | ./NativeIpc.Peer | sed -n 2p
    )" = 'ok false'
    kill -9 "$keeper"
    exec 6>&- 7<&-
    wait
    check "$type: the next one gets it, and is told" "$(
        { command "shm open a $key rw"; command 'shm lock a 60000'; command 'shm unlock a'; command "shm remove $key"
            command exit; } | ./NativeIpc.Peer | sed -n 3p
    )" = 'ok abandoned'

    { command "sem create s $semaphore 0 keep"; command exit; } | ./NativeIpc.Peer >/dev/null
    { command "sem open s $semaphore undo=none"; command 'sem acquire s 3000'; command exit; } | ./NativeIpc.Peer \
        >/dev/null &
    { command "sem open s $semaphore"; command 'sem produce s 3000'; command exit; } | ./peer-c >/dev/null &
    wait
    check "$type: 3,000 permits of a C process are taken" "$(
        { command "sem open s $semaphore"; command 'sem value s'; command "sem remove $semaphore"; command exit; } |
            ./NativeIpc.Peer | sed -n 2p
    )" = 'ok 0'
done

./nipc create shm posix:/shown 64 >/dev/null
check 'nipc list' "$(./nipc list | grep -c posix:/shown)" = 1
check 'nipc show' "$(./nipc show posix:/shown | grep -c posix:/shown)" != 0
./nipc doctor >/tmp/doctor
check 'nipc doctor ends well' $? = 0
check 'nipc run' "$(./nipc run --create 1 --sem posix:/run -- echo under)" = under
./nipc rm posix:/shown posix:/run >/dev/null
check 'nothing is left in /dev/shm' -z "$(ls -A /dev/shm)"
check 'no System V object is left' -z "$(tail -q -n +2 /proc/sysvipc/shm /proc/sysvipc/sem)"
# Last, since they take long: seconds for each kill on a busy host. Four processes are enough for the two processors.
for type in posix systemv; do
    [ "$kills" != 0 ] || break
    { timeout -s KILL 3600 ./NativeIpc.Storm run $type "$kills" 4; echo $? >/tmp/code; } 2>&1 | tee /tmp/storm
    read -r code </tmp/code
    [ "$code" = 0 ] || grep -q '^FAIL' /tmp/storm ||
        echo "FAIL storm $type: it ended with $code; 137: not within an hour"
done
echo 'ENDED 0'
poweroff -f
