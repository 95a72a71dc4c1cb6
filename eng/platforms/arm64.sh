#!/usr/bin/env bash
# arm64.sh FLAVOUR: native AOT programs in an emulated arm64 machine, on a kernel of Debian 13 (arm64: pages of 4 KiB;
#     arm64-16k: of 16 KiB). arm64-guest.sh is what runs in it. Emulation on x64 keeps x64's order of memory accesses:
#     it proves nothing about those of arm64.
# arm64.sh FLAVOUR count: counts the instructions of the hottest operations there, of ours and of C, kernel included:
#     the machine's clock goes on by a nanosecond with each instruction. Writes bench/README.md.
# arm64.sh FLAVOUR clr: the conformance suite there, on .NET's runtime with its JIT compiler; the programs are compiled
#     ahead (ReadyToRun), and what is hot again by the JIT. In parts, one after the other: none begins later than
#     NATIVEIPC_ARM64_MINUTES (240) after the machine's start, and what has not begun then is skipped. For a look at a
#     few tests, with ./platforms.sh --no-rows: NATIVEIPC_ARM64_PARTS='posix -method A -method B'.
. "$(dirname "$0")/lib.sh"
flavour=$1 what=${2:-guest}
need clang binutils-aarch64-linux-gnu libc6-dev-arm64-cross libgcc-12-dev-arm64-cross qemu-system-arm cpio
case $what in
    guest) projects="tests/NativeIpc.Aot tests/NativeIpc.Peer tests/NativeIpc.Storm src/NativeIpc.Tool" ;;
    count) projects="tests/NativeIpc.Peer bench/NativeIpc.Yardstick" ;;
    clr) projects="tests/NativeIpc.Peer tests/NativeIpc.Conformance" ;;
esac

# Both flavours run the same programs.
made=$root/artifacts/platforms/arm64
mkdir -p "$made"
publish() { # PROJECT FOLDER PROPERTY...
    ! is_published "$made/$2/${1##*/}" || return 0
    dotnet publish "$root/$1" -nologo -v q -c Release -r linux-arm64 -p:RunAnalyzers=false \
        --artifacts-path "$made/$2-build" -o "$made/$2/${1##*/}" "${@:3}" >"$out/publish.log" 2>&1 ||
        { tail -n 20 "$out/publish.log" >&2; exit 1; }
}
for project in $projects; do
    if [ "$what" = clr ]; then
        publish "$project" clr --no-self-contained -p:PublishAot=false -p:PublishReadyToRun=true \
            -p:SatelliteResourceLanguages=en
    else
        # .NET passes --target, which gcc does not know; lld 14 loses a section that .NET needs.
        publish "$project" native -p:PublishAot=true -p:CppCompilerAndLinker=clang -p:LinkerFlavor=bfd \
            -p:ObjCopyName=aarch64-linux-gnu-objcopy
    fi
done
cross() { clang --target=aarch64-linux-gnu -fuse-ld=bfd "$@"; }
cross -std=c11 -O1 -o "$made/peer-c" "$root/tests/peers/c/peer.c" &&
    cross -O2 -w -I "$root/include" -o "$made/yard_c" "$root/bench/peers/yard.c" -lpthread || exit 1
# A limit for each user binds others than root.
cross -O1 -x c -o "$made/as-user" - <<-'END' || exit 1
	#include <unistd.h>
	int main(int count, char **words)
	{
	    return count < 2 || setgid(1000) || setuid(1000) || execv(words[1], words + 1);
	}
	END
# Runs a program to which the kernel refuses membarrier(2), as a filter of a container may.
cross -O1 -x c -o "$made/unfenced" - <<-'END' || exit 1
	#include <errno.h>
	#include <linux/filter.h>
	#include <linux/seccomp.h>
	#include <stddef.h>
	#include <sys/prctl.h>
	#include <sys/syscall.h>
	#include <unistd.h>
	int main(int count, char **words)
	{
	    struct sock_filter steps[] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    };
	    struct sock_fprog filter = { sizeof steps / sizeof *steps, steps };
	    return count < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) || syscall(SYS_membarrier, 0, 0, 0) != -1 ||
	        execv(words[1], words + 1);
	}
	END
# Whether the machine's clock counts instructions: a loop of so many takes so long.
cross -O1 -x c -o "$made/clock" - <<-'END' || exit 1
	#include <stdio.h>
	#include <time.h>
	static long now(void)
	{
	    struct timespec t;
	    clock_gettime(CLOCK_MONOTONIC, &t);
	    return t.tv_sec * 1000000000L + t.tv_nsec;
	}
	int main(void)
	{
	    const long turns = 50000000;
	    long left = turns, start = now();
	    __asm__ volatile("1: subs %0, %0, #1\n b.ne 1b" : "+r"(left) : : "cc");
	    double each = (now() - start) / 2.0 / turns;
	    int is_so = each > 0.99 && each < 1.03;
	    printf("%s the clock counts instructions: %.3f ns each\n", is_so ? "PASS" : "FAIL", each);
	}
	END

# The kernel and the C library of arm64, unpacked and never installed.
debian trixie
packages=$cache/arm64
image=$packages/$flavour
if [ ! -e "$image/complete-4" ]; then
    rm -rf "$image"
    mkdir -p "$image/root" "$debian/tmp/nativeipc"
    # shellcheck disable=SC2016 # for the inner shell
    apart chroot "$debian" sh -c 'dpkg --add-architecture arm64 && apt-get -q update && cd /tmp/nativeipc &&
        kernel=$(apt-cache depends linux-image-$1:arm64 | sed -n "s/.*Depends: \(linux-image-[0-9][^:]*\).*/\1/p" |
            head -n 1) &&
        apt-get -q download "$kernel:arm64" libc6:arm64 busybox-static:arm64 libgcc-s1:arm64 libstdc++6:arm64 \
            libatomic1:arm64 libssl3t64:arm64 zlib1g:arm64 libzstd1:arm64 util-linux:arm64 libcap-ng0:arm64 \
            libsmartcols1:arm64 perl-base:arm64 libcrypt1:arm64
        status=$?
        dpkg --remove-architecture arm64
        exit $status' sh "$flavour" \
        >"$out/packages.log" 2>&1 || unable "the arm64 packages could not be had; see $out/packages.log"
    for package in "$debian"/tmp/nativeipc/*.deb; do
        case $package in
            */linux-image*) dpkg-deb --fsys-tarfile "$package" |
                tar -x --wildcards -C "$image" --strip-components=2 './boot/vmlinuz*' ;;
            *) dpkg-deb -x "$package" "$image/root" ;;
        esac
    done
    rm -rf "$debian/tmp/nativeipc"
    touch "$image/complete-4"
fi

guest=$out/guest
rm -rf "$guest"
mkdir -p "$guest"/{bin,lib/aarch64-linux-gnu,dev,etc,proc,sys,tmp,root,run,usr/bin}
cp "$debian"/etc/{passwd,group} "$guest/etc/"
cp "$image/root/usr/bin/busybox" "$guest/bin/"
cp "$image"/root/usr/bin/{setpriv,unshare,ipcs,lsipc,perl} "$guest/usr/bin/" # busybox has others of some of these names
libraries=$image/root/usr/lib/aarch64-linux-gnu
cp -a "$libraries"/{libc.so*,libm.so*,ld-linux*,libpthread.so*,libdl.so*,librt.so*} \
    "$libraries"/{libgcc_s*,libatomic.so*,libstdc++.so.6*,libssl.so*,libcrypto.so*,libz.so*,libzstd.so*,libcap-ng.so*} \
    "$libraries"/{libsmartcols.so*,libcrypt.so*} \
    "$guest/lib/aarch64-linux-gnu/"
ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$guest/lib/ld-linux-aarch64.so.1"
cp "$root/eng/platforms/arm64-guest.sh" "$guest/init"
chmod 755 "$guest/init"
case $what in
    guest) programs="NativeIpc.Aot NativeIpc.Peer NativeIpc.Storm" ;;
    count) programs="NativeIpc.Peer NativeIpc.Yardstick" ;;
    clr)
        programs=
        version=$(dotnet --list-runtimes | awk '$1 == "Microsoft.NETCore.App" { v = $2 } END { print v }')
        package Microsoft.NETCore.App.Runtime.linux-arm64 "$version"
        shared=$guest/dotnet/shared/Microsoft.NETCore.App
        mkdir -p "$guest/dotnet/host/fxr/$version" "$shared"
        cp "$package/runtimes/linux-arm64/native/libhostfxr.so" "$guest/dotnet/host/fxr/$version/"
        cp -r "$package/runtimes/linux-arm64/native" "$shared/$version"
        cp "$package"/runtimes/linux-arm64/lib/*/* "$shared/$version/"
        cp -r "$made/clr/NativeIpc.Peer" "$made/clr/NativeIpc.Conformance" "$guest/root/"
        # First what takes part most in the order of memory accesses, and in what the kernel does with pages.
        "$(program NativeIpc.Conformance)" -list classes -namespace NativeIpc.Conformance.Posix \
            -namespace NativeIpc.Conformance.SystemV | tr -d '\r' | awk -F. '
            BEGIN {
                split("Lock Semaphore Segment Wait Crash,Event EventDeath EventRace Any AnyEvent WordWait," \
                    "DeathPoint StepAside PermitRecord Permit CrashedHolder Abandoned Undo Orphaned", parts, ",")
                for (part = 1; part <= 3; part++) {
                    count = split(parts[part], names, " ")
                    for (i = 1; i <= count; i++) part_of[names[i] "Tests"] = part
                }
            }
            NF == 4 { # what has no part above: eight classes each
                if ($4 in part_of) part = part_of[$4]
                else part = 4 + int((++others[$3] - 1) / 8)
                if (part > last) last = part
                classes[part, $3] = classes[part, $3] " -class " $0
            }
            END {
                for (part = 1; part <= last; part++) {
                    if ((part, "Posix") in classes) print "posix" classes[part, "Posix"]
                    if ((part, "SystemV") in classes) print "systemv" classes[part, "SystemV"]
                }
            }' >"$guest/root/parts"
        [ -z "${NATIVEIPC_ARM64_PARTS:-}" ] || printf '%s\n' "$NATIVEIPC_ARM64_PARTS" >"$guest/root/parts"
        ;;
esac
for program in $programs; do cp "$made/native/$program/$program" "$guest/root/"; done
[ "$what" != guest ] || cp "$made/native/NativeIpc.Tool/nipc" "$guest/root/"
cp "$made/peer-c" "$made/yard_c" "$made/as-user" "$made/unfenced" "$made/clock" "$guest/root/"
(cd "$guest" && find . | cpio --quiet -o -H newc) >"$out/initrd"

emulator "$(qemu-system-aarch64 --version | sed -n '1s/ (.*//p') (qemu-system-aarch64)"
machine=(-smp 2 -m 2048) limit=900 processor=max,pauth-impdef=on minutes=${NATIVEIPC_ARM64_MINUTES:-240}
kills=$([ -n "$short" ] && echo 0 || echo 100)
case $what$short in
    guest) limit=7500 ;;
    count*) machine=(-smp 1 -m 1536 -icount "shift=0,sleep=off") ;;
    # Without what is slow to emulate and no code of ours uses. The kernel is not to speak amid results.
    clr*)
        machine=(-smp 2 -m 4096 -accel "tcg,thread=multi,tb-size=1024") processor=max,pauth=off,sve=off,sme=off
        limit=$((minutes * 60 + 3600)) ;;
esac
# The words stop and cont on the monitor's socket hold the machine and its clock, while something else is measured.
emulate() { # PROCESSOR KILLS: sets $run
    run=(qemu-system-aarch64 -M virt -cpu "$1" "${machine[@]}" -nic none -nographic -no-reboot
        -monitor "unix:$out/monitor,server=on,wait=off"
        -kernel "$image"/vmlinuz-* -initrd "$out/initrd"
        -append "console=ttyAMA0 quiet panic=1 what=$what kills=$2 minutes=$minutes $([ "$what" != clr ] ||
            echo 'loglevel=1 nowatchdog rcupdate.rcu_cpu_stall_suppress=1')")
}
emulate "$processor" "$kills"
log=$out/results/$what.log
said() { tr -d '\r' <"$log"; }
if [ "$what" = clr ]; then
    bounded $limit "${run[@]}" >"$log" 2>&1
    code=124
    ! said | grep -q '^ENDED' || code=0
    for type in posix systemv; do
        [ $code != 0 ] || said | grep -qP "^(PART|LEFT)\t$type" || continue
        # Of each part that came to its end the results, and for each other one a skip.
        said | awk -F'\t' -v type=$type '
            BEGIN { print "<all>" }
            $1 == "XML" { part = part substr($0, 5) "\n" }
            $1 == "PART" {
                sub(/^<\?xml[^>]*>/, "", part)
                if ($2 == type) printf "%s", part
                part = ""
            }
            $1 == "LEFT" && $2 == type {
                count = split($3, words, " ")
                for (i = 2; i <= count; i += 2)
                    print "<test result=\"Skip\" name=\"" words[i] "\"><reason>The time was up.</reason></test>"
            }
            END { print "</all>" }' >"$out/results/$type.xml"
        worst=$(said | awk -F'\t' -v type=$type '$1 == "PART" && $2 == type && $3 > worst { worst = $3 }
            END { print worst + 0 }')
        part=
        ! said | grep -qP "^LEFT\t$type" || part=' (part)'
        python3 "$root/eng/platforms/table.py" xunit "$type$part" "$out/results/$type.xml" $((code ? code : worst))
    done
else
    lines "$what" $limit "${run[@]}"
    # An emulator that is ended says 0.
    said | grep -q '^ENDED' ||
        printf 'FAIL %s: the machine did not come to its end\nRAN\tend\t0\t1\t0\n' "$what"
    # Without LSE a compare-exchange is a load and a store: a processor of 2016, which has pages of 4 KiB.
    if [ "$what$flavour" = guestarm64 ]; then
        emulate cortex-a72 0
        lines without-lse $limit "${run[@]}"
        tr -d '\r' <"$out/results/without-lse.log" | grep -q '^ENDED' ||
            printf 'FAIL without-lse: the machine did not come to its end\nRAN\tend\t0\t1\t0\n'
    fi
fi
said | grep -P '^FACTS\t' || exit 1
[ "$what" != count ] || [ -n "$no_rows" ] ||
    python3 "$root/eng/platforms/table.py" counts "$root/bench/README.md" "$log" "$root/bench/results.tsv"
