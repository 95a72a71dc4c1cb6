#!/usr/bin/env bash
# arm64.sh FLAVOUR: native AOT programs in an emulated arm64 machine, on a kernel of Debian 13 (arm64: pages of 4 KiB;
#     arm64-16k: of 16 KiB). arm64-guest.sh is what runs in it. Emulation on x64 keeps x64's order of memory accesses:
#     it proves nothing about those of arm64.
# arm64.sh FLAVOUR count: counts the instructions of the hottest operations there, of ours and of C, kernel included:
#     the machine's clock goes on by a nanosecond with each instruction. Writes bench/README.md.
# arm64.sh FLAVOUR clr: the conformance suite there, on .NET's runtime with its JIT compiler.
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
        publish "$project" clr --no-self-contained -p:PublishAot=false
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
if [ ! -e "$image/complete-3" ]; then
    rm -rf "$image"
    mkdir -p "$image/root" "$debian/tmp/nativeipc"
    # shellcheck disable=SC2016 # for the inner shell
    apart chroot "$debian" sh -c 'dpkg --add-architecture arm64 && apt-get -q update && cd /tmp/nativeipc &&
        kernel=$(apt-cache depends linux-image-$1:arm64 | sed -n "s/.*Depends: \(linux-image-[0-9][^:]*\).*/\1/p" |
            head -n 1) &&
        apt-get -q download "$kernel:arm64" libc6:arm64 busybox-static:arm64 libgcc-s1:arm64 libstdc++6:arm64 \
            libatomic1:arm64 libssl3t64:arm64 zlib1g:arm64 libzstd1:arm64 util-linux:arm64 libcap-ng0:arm64
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
    touch "$image/complete-3"
fi

guest=$out/guest
rm -rf "$guest"
mkdir -p "$guest"/{bin,lib/aarch64-linux-gnu,dev,proc,sys,tmp,root,run,usr/bin}
cp "$image/root/usr/bin/busybox" "$guest/bin/"
cp "$image/root/usr/bin/setpriv" "$guest/usr/bin/" # busybox has another one of this name
libraries=$image/root/usr/lib/aarch64-linux-gnu
cp -a "$libraries"/{libc.so*,libm.so*,ld-linux*,libpthread.so*,libdl.so*,librt.so*} \
    "$libraries"/{libgcc_s*,libatomic.so*,libstdc++.so.6*,libssl.so*,libcrypto.so*,libz.so*,libzstd.so*,libcap-ng.so*} \
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
        ;;
esac
for program in $programs; do cp "$made/native/$program/$program" "$guest/root/"; done
[ "$what" != guest ] || cp "$made/native/NativeIpc.Tool/nipc" "$guest/root/"
cp "$made/peer-c" "$made/yard_c" "$made/as-user" "$made/clock" "$guest/root/"
(cd "$guest" && find . | cpio --quiet -o -H newc) >"$out/initrd"

emulator "$(qemu-system-aarch64 --version | sed -n '1s/ (.*//p') (qemu-system-aarch64)"
machine=(-smp 2 -m 2048) limit=900
case $what$short in
    guest) limit=7500 ;;
    count*) machine=(-smp 1 -m 1536 -icount "shift=0,sleep=off") ;;
    clr*) machine=(-smp 2 -m 4096) limit=2400 ;;
esac
run=(qemu-system-aarch64 -M virt -cpu "max,pauth-impdef=on" "${machine[@]}" -nic none -nographic -no-reboot
    -kernel "$image"/vmlinuz-* -initrd "$out/initrd"
    -append "console=ttyAMA0 quiet panic=1 what=$what kills=$([ -n "$short" ] && echo 0 || echo 100)")
log=$out/results/$what.log
said() { tr -d '\r' <"$log"; }
if [ "$what" = clr ]; then
    bounded $limit "${run[@]}" >"$log" 2>&1
    said | sed -n 's/^XML\t//p' >"$out/results/conformance.xml"
    code=$(said | sed -n 's/^ENDED //p')
    python3 "$root/eng/platforms/table.py" xunit 'conformance (part)' "$out/results/conformance.xml" "${code:-124}"
else
    lines "$what" $limit "${run[@]}"
    # An emulator that is ended says 0.
    said | grep -q '^ENDED' ||
        printf 'FAIL %s: the machine did not come to its end\nRAN\tend\t0\t1\t0\n' "$what"
fi
said | grep -P '^FACTS\t' || exit 1
[ "$what" != count ] || [ -n "$no_rows" ] ||
    python3 "$root/eng/platforms/table.py" counts "$root/bench/README.md" "$log" "$root/bench/results.tsv"
