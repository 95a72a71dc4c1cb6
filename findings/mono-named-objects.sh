#!/usr/bin/env bash
# Mono's named semaphores and memory-mapped files are named within one process only.
# Guess: as .NET does on Unix, `new Semaphore(1, 1, "name")` and `MemoryMappedFile.CreateNew("name", …)` throw; or
# they reach other processes.
# Seen: both work and reach nobody. The child is told `createdNew`, takes the permit that its parent holds, and makes
# the same map anew.
. "$(dirname "$0")/lib.sh"
version=6.8.0.105+dfsg-3.3+deb12u1
packages=()
for name in mono-mcs mono-runtime mono-runtime-common mono-runtime-sgen mono-gac mono-4.0-gac libmono-corlib4.5-cil \
    libmono-corlib4.5-dll \
    libmono-system4.0-cil libmono-system-core4.0-cil libmono-system-xml4.0-cil libmono-system-configuration4.0-cil \
    libmono-system-security4.0-cil \
    libmono-security4.0-cil libmono-system-numerics4.0-cil libmono-microsoft-csharp4.0-cil; do
    packages+=("$name=$version")
done
unpack "${packages[@]}"
cat >two.cs <<'CS'
using System;
using System.Diagnostics;
using System.IO.MemoryMappedFiles;
using System.Threading;

class Two
{
    static void Main(string[] words)
    {
        bool isNew;
        var limit = new Semaphore(1, 1, "finding-limit", out isNew);
        Console.WriteLine(words[0] + " semaphore: new " + isNew + ", permit " + limit.WaitOne(0));
        var map = MemoryMappedFile.CreateNew("finding-map", 64);
        Console.WriteLine(words[0] + " map: made");
        if (words[0] != "parent") return;
        var start = new ProcessStartInfo(words[1], words[2] + " child") { UseShellExecute = false };
        using (var child = Process.Start(start)) child.WaitForExit();
        GC.KeepAlive(map);
    }
}
CS
export MONO_PATH=$work/root/usr/lib/mono/4.5 MONO_CFG_DIR=$work/root/etc
mono=$work/root/usr/bin/mono-sgen
"$mono" "$MONO_PATH/mcs.exe" -r:System.Core -r:System two.cs
said=$("$mono" two.exe parent "$mono" two.exe)
expect 'the first process' \
    'parent semaphore: new True, permit True|parent map: made' "$(grep parent <<<"$said" | paste -sd'|')"
expect 'the second one, while the first holds both' \
    'child semaphore: new True, permit True|child map: made' "$(grep child <<<"$said" | paste -sd'|')"
expect 'objects in /dev/shm with that name' '' "$(find /dev/shm -name '*finding*')"
finish
