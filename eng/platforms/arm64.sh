#!/usr/bin/env bash
# arm64.sh FLAVOUR: native AOT programs in an emulated arm64 machine, on a kernel of Debian 13 (arm64: pages of 4 KiB;
#     arm64-16k: of 16 KiB). arm64-guest.sh is what runs in it. Emulation on x64 keeps x64's order of memory accesses:
#     it proves nothing about those of arm64.
. "$(dirname "$0")/lib.sh"
flavour=$1
need clang binutils-aarch64-linux-gnu libc6-dev-arm64-cross libgcc-12-dev-arm64-cross qemu-system-arm cpio
projects="tests/NativeIpc.Aot tests/NativeIpc.Peer tests/NativeIpc.Storm src/NativeIpc.Tool"

# Both flavours run the same programs.
made=$root/artifacts/platforms/arm64
mkdir -p "$made"
for project in $projects; do
    # .NET passes --target, which gcc does not know; lld 14 loses a section that .NET needs.
    dotnet publish "$root/$project" -nologo -v q -c Release -r linux-arm64 -p:PublishAot=true -p:RunAnalyzers=false \
        -p:CppCompilerAndLinker=clang -p:LinkerFlavor=bfd -p:ObjCopyName=aarch64-linux-gnu-objcopy \
        --artifacts-path "$made/build" -o "$made/${project##*/}" >"$out/publish.log" 2>&1 ||
        { tail -n 20 "$out/publish.log" >&2; exit 1; }
done
clang --target=aarch64-linux-gnu -fuse-ld=bfd -std=c11 -O1 -o "$made/peer-c" "$root/tests/peers/c/peer.c" || exit 1

# The kernel and the C library of arm64, unpacked and never installed.
debian trixie
packages=$cache/arm64
image=$packages/$flavour
if [ ! -e "$image/complete" ]; then
    rm -rf "$image"
    mkdir -p "$image/root" "$debian/tmp/nativeipc"
    # shellcheck disable=SC2016 # for the inner shell
    apart chroot "$debian" sh -c 'dpkg --add-architecture arm64 && apt-get -q update && cd /tmp/nativeipc &&
        kernel=$(apt-cache depends linux-image-$1:arm64 | sed -n "s/.*Depends: \(linux-image-[0-9][^:]*\).*/\1/p" |
            head -n 1) &&
        apt-get -q download "$kernel:arm64" libc6:arm64 busybox-static:arm64 libgcc-s1:arm64 libstdc++6:arm64 \
            libatomic1:arm64; status=$?; dpkg --remove-architecture arm64; exit $status' sh "$flavour" \
        >"$out/packages.log" 2>&1 || unable "the arm64 packages could not be had; see $out/packages.log"
    for package in "$debian"/tmp/nativeipc/*.deb; do
        case $package in
            */linux-image*) dpkg-deb --fsys-tarfile "$package" |
                tar -x --wildcards -C "$image" --strip-components=2 './boot/vmlinuz*' ;;
            *) dpkg-deb -x "$package" "$image/root" ;;
        esac
    done
    rm -rf "$debian/tmp/nativeipc"
    touch "$image/complete"
fi

guest=$out/guest
rm -rf "$guest"
mkdir -p "$guest"/{bin,lib/aarch64-linux-gnu,dev,proc,sys,tmp,root,run,usr/bin}
cp "$image/root/usr/bin/busybox" "$guest/bin/"
libraries=$image/root/usr/lib/aarch64-linux-gnu
cp -a "$libraries"/{libc.so*,libm.so*,ld-linux*,libpthread.so*,libdl.so*,librt.so*} \
    "$libraries"/{libgcc_s*,libatomic.so*,libstdc++.so.6*} "$guest/lib/aarch64-linux-gnu/"
ln -s aarch64-linux-gnu/ld-linux-aarch64.so.1 "$guest/lib/ld-linux-aarch64.so.1"
cp "$root/eng/platforms/arm64-guest.sh" "$guest/init"
chmod 755 "$guest/init"
cp "$made/NativeIpc.Aot/NativeIpc.Aot" "$made/NativeIpc.Peer/NativeIpc.Peer" "$made/NativeIpc.Storm/NativeIpc.Storm" \
    "$made/NativeIpc.Tool/nipc" "$made/peer-c" "$guest/root/"
(cd "$guest" && find . | cpio --quiet -o -H newc | gzip -1) >"$out/initrd.gz"

emulator "$(qemu-system-aarch64 --version | sed -n '1s/ (.*//p') (qemu-system-aarch64)"
lines guest 900 qemu-system-aarch64 -M virt -cpu max,pauth-impdef=on -smp 2 -m 1536 -nic none -nographic -no-reboot \
    -kernel "$image"/vmlinuz-* -initrd "$out/initrd.gz" \
    -append "console=ttyAMA0 quiet panic=1 kills=${short:+20}${short:-200}"
tr -d '\r' <"$out/results/guest.log" | grep -P '^FACTS\t' || exit 1
