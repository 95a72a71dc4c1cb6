#!/bin/bash
# Packs the libraries and the tool into artifacts/packages, checks what is inside, and uses the packages, in a fresh
# project and as a tool: one line per check, PASS, FAIL or SKIP; non-zero exit when one failed.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
. "$root/eng/lib.sh" # building, run_watched: macOS has no timeout(1)
packages=$root/artifacts/packages
failures=0
pass() { echo "PASS pack: $1"; }
fail() {
    echo "FAIL pack: $1: $(echo "$2" | tr "\n" " ")"
    failures=1
}
# verify NAME REASON COMMAND...: the command must succeed.
verify() {
    local name=$1 reason=$2
    shift 2
    if "$@" >/dev/null 2>&1; then pass "$name"; else fail "$name" "$reason"; fi
}

if ! command -v dotnet >/dev/null; then
    echo "SKIP pack: no .NET SDK"
    exit 0
fi
if ! command -v unzip >/dev/null; then
    echo "SKIP pack: no unzip"
    exit 0
fi
work=$(mktemp -d) || exit 1
# One compiler for all builds, since a start of it takes longer than most of them.
export UseSharedCompilation=true
end() { end_compiler; rm -rf "$work"; }
trap end EXIT

# same_readme PACKAGE FILE PACKED: the packed one has the words of the repository's, and absolute links.
same_readme() {
    if ! diff <(without_comments "$root/$2" | without_links) <(without_links <"$3") >"$work/readme.diff"; then
        fail "the readme of $1 is the one of the repository" "$(head -n 3 "$work/readme.diff")"
    elif relative=$(grep -noE '\]\([^)]*\)' "$3" | grep -vE '\]\((https?:|#)'); then
        fail "the readme of $1 has absolute links" "$(head -n 3 <<<"$relative")"
    else
        pass "the readme of $1 is the one of the repository, with absolute links"
    fi
}
without_links() { sed -E 's/\]\([^)]*\)/]/g'; }
without_comments() { sed '/^<!--$/,/^-->$/d' "$1"; } # NuGet would show them

libraries='NativeIpc NativeIpc.Inspection'
beside='NativeIpc.Channels NativeIpc.DistributedLock NativeIpc.Extensions NativeIpc.NamedObjects'
analyzers='NativeIpc.Analyzers NativeIpc.Analyzers.CodeFixes' # in the package NativeIpc

# pack FOLDER OUTPUT LIBRARIES PROPERTIES...
pack() {
    pack_libraries "$1" "$2" "$work/pack.log" "${@:3}" && return
    sed 's/^/    /' "$work/pack.log" >&2
    return 1
}

mkdir -p "$packages"
rm -f "$packages"/*.nupkg "$packages"/*.snupkg
# The lines of the first page, by which a reader gets the packages, in a home of its own: its settings of NuGet stay as
# they are.
mkdir "$work/home"
while IFS= read -r line; do
    if ! (cd "$root" && HOME=$work/home NUGET_PACKAGES=${NUGET_PACKAGES:-$HOME/.nuget/packages} \
        bash -c "${line#$ }" >"$work/feed.log" 2>&1); then
        sed 's/^/    /' "$work/feed.log" >&2
        fail "the line of the first page: $line" "it failed"
        exit 1
    fi
    pass "the line of the first page: $line"
done < <(sed -n '/^```console feed$/,/^```$/p' "$root/README.md" | grep '^\$ ')
verify "NuGet knows the folder" "no such source" \
    grep -q "\"$work/home/nativeipc-feed\"" "$work/home/.nuget/NuGet/NuGet.Config"
mv "$work"/home/nativeipc-feed/*.*nupkg "$packages"
version=$(basename "$packages"/NativeIpc.[0-9]*.nupkg .nupkg)
version=${version#NativeIpc.}
for library in $libraries; do
    package=$work/package/$library symbols=$work/symbols/$library
    mkdir -p "$package" "$symbols"
    unzip -q "$packages/$library.$version.nupkg" -d "$package" &&
        unzip -q "$packages/$library.$version.snupkg" -d "$symbols" || fail "unpacks $library" "no zip files"
    for file in README.md LICENSE "lib/net10.0/$library.dll" "lib/net10.0/$library.xml"; do
        verify "the package $library has $file" "missing or empty" test -s "$package/$file"
    done
    same_readme "$library" README.md "$package/README.md"
    verify "$library has the icon" "differs" cmp "$root/eng/icon.png" "$package/icon.png"
    verify "the symbols package of $library has the pdb" "missing or empty" test -s "$symbols/lib/net10.0/$library.pdb"
    nuspec=$package/$library.nuspec
    verify "the licence of $library is an expression" "no licence expression in the nuspec" \
        grep -q '<license type="expression">MIT</license>' "$nuspec"
    verify "the readme of $library is declared" "no readme in the nuspec" \
        grep -q '<readme>README.md</readme>' "$nuspec"
    extra=$(cd "$package" && find lib -type f ! -name "$library.dll" ! -name "$library.xml")
    if [ -z "$extra" ]; then
        pass "nothing else in lib of $library"
    else
        fail "nothing else in lib of $library" "$extra"
    fi
    if grep -qaF -e "$root" -e "$HOME/" "$package/lib/net10.0/$library.dll" "$symbols/lib/net10.0/$library.pdb"; then
        fail "no paths of this machine in $library" "the dll or the pdb names $root or $HOME"
    else
        pass "no paths of this machine in $library"
    fi
done
if grep -q '<dependency ' "$work/package/NativeIpc/NativeIpc.nuspec"; then
    fail "no dependencies" "$(grep '<dependency ' "$work/package/NativeIpc/NativeIpc.nuspec")"
else
    pass "no dependencies"
fi
# It uses internals of the library, so another version of that would not do.
needs=$(grep -o '<dependency .*' "$work/package/NativeIpc.Inspection/NativeIpc.Inspection.nuspec")
case $needs in
'<dependency id="NativeIpc" version="['"$version"']"'*) pass "the inspection package needs this very version" ;;
*) fail "the inspection package needs this very version" "$needs" ;;
esac

nuspec=$work/package/NativeIpc/NativeIpc.nuspec
for element in icon releaseNotes projectUrl repository; do
    verify "the package says its $element" "not in the nuspec" grep -q "<$element[ >]" "$nuspec"
done

# Packing has validated the surface against the baseline, if it has found it.
for library in $libraries $beside; do
    verify "the surface of $library has a baseline" "run eng/baseline.sh" \
        test -s "$root/eng/baseline/$library.nupkg"
done
found=$(dotnet msbuild "$root/src/NativeIpc/NativeIpc.csproj" -getProperty:PackageValidationBaselinePath)
verify "packing compares with the baseline" "$found" test "$found" -ef "$root/eng/baseline/NativeIpc.nupkg"

# What a package brings with it, by the tool for that: nothing for the core.
if ! "$root/eng/sbom.sh" "$packages" NativeIpc NativeIpc.DistributedLock >"$work/sbom.log" 2>&1; then
    if grep -qE 'NU1301|Unable to load the service index|could not be (restored|found)' "$work/sbom.log"; then
        echo "SKIP pack: the lists of contents: the tool cannot be fetched"
    else
        fail "writes the lists of contents" "$(tail -n 3 "$work/sbom.log")"
    fi
else
    parts() { grep -oE '"purl": *"pkg:nuget/[^"@]+' "$packages/$1.$version.cdx.json" | sed 's|.*/||' | sort -u; }
    verify "the core brings nothing with it" "$(parts NativeIpc)" test "$(parts NativeIpc)" = NativeIpc
    verify "the list of NativeIpc.DistributedLock has what it brings" "$(parts NativeIpc.DistributedLock)" \
        test "$(parts NativeIpc.DistributedLock | tr '\n' ' ')" = \
        'DistributedLock.Core NativeIpc NativeIpc.DistributedLock '
fi

# From a clean copy in another folder the same bytes must come out, whose surface has been validated already.
revision=$(git -C "$root" rev-parse HEAD 2>/dev/null)
folder=$work/another/longer/NativeIpc
mkdir -p "$folder/src"
for library in $libraries $analyzers; do
    cp -R "$root/src/$library" "$folder/src/"
    rm -rf "$folder/src/$library/bin" "$folder/src/$library/obj"
done
cp "$root"/Directory.* "$root"/*.* "$root/LICENSE" "$root/.editorconfig" "$folder/" 2>/dev/null
mkdir "$folder/eng"
cp -R "$root/eng/icon.png" "$root/eng/baseline" "$root/eng/ahead.proj" "$folder/eng/"
pack "$folder" "$folder/out" "$libraries" -m:1 -p:EnablePackageValidation=false \
    ${revision:+-p:SourceRevisionId=$revision} ||
    fail "packs in a copy" "dotnet pack failed"
mkdir "$folder/package" "$folder/symbols"
for library in $libraries; do
    unzip -q "$folder/out/$library.$version.nupkg" -d "$folder/package/$library"
    unzip -q "$folder/out/$library.$version.snupkg" -d "$folder/symbols/$library"
    for file in "package/$library/lib/net10.0/$library.dll" "symbols/$library/lib/net10.0/$library.pdb"; do
        verify "the same ${file##*/} from a clean folder elsewhere" "differs" cmp "$folder/$file" "$work/$file"
    done
    for file in "$folder/package/$library"/runtimes/*/lib/net10.0/*.dll; do
        [ ! -e "$file" ] || verify "the same ${file#"$folder/"} from a clean folder elsewhere" "differs" \
            cmp "$file" "$work/${file#"$folder/"}"
    done
done
for library in $analyzers; do
    file=package/NativeIpc/analyzers/dotnet/cs/$library.dll
    verify "the same ${file##*/} from a clean folder elsewhere" "differs" cmp "$folder/$file" "$work/$file"
done

# fresh FOLDER PACKAGE [PROPERTIES]: a program that uses the package. Its text comes from standard input.
fresh() {
    mkdir -p "$work/$1"
    cat >"$work/$1/Program.cs"
    cat >"$work/$1/Hello.csproj" <<PROJECT
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <Nullable>enable</Nullable>
    <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
    <NuGetAudit>false</NuGetAudit>
    <OutDir>built/</OutDir>
    <PublishDir>published/</PublishDir>
    ${3:-}
  </PropertyGroup>
  <ItemGroup>
    <PackageReference Include="$2" Version="$version" />
  </ItemGroup>
</Project>
PROJECT
}
# together NAME BUILT PUBLISHED: the projects in these folders, by one start of MSBuild, which takes longer than most of
# them. After one that fails the others go on; see made.
together() {
    local project=$work/$1.proj
    {
        say '<Project><ItemGroup>'
        for folder in $2; do say "<Built Include=\"$work/$folder/Hello.csproj\" />"; done
        for folder in $3; do say "<Published Include=\"$work/$folder/Hello.csproj\" />"; done
        say '</ItemGroup>'
        say '<Target Name="Restore"><MSBuild Projects="@(Built);@(Published)" Targets="Restore" /></Target>'
        say '<Target Name="Publish">'
        say '<MSBuild Projects="@(Built)" Targets="Build" ContinueOnError="ErrorAndContinue" />'
        say '<MSBuild Projects="@(Published)" Targets="Publish" />'
        say '</Target></Project>'
    } >"$project"
    NUGET_PACKAGES=$work/cache dotnet publish "$project" -c Release -nologo -v q -m:1 >"$work/$1.log" 2>&1 ||
        grep -E 'error|warning' "$work/$1.log" | sort -u | sed 's/^/    /' >&2
}
# made CHECK LOG FILE: whether the project of this folder has been built without a word, into this file.
made() {
    local words
    words=$(grep -F "${PWD#"$work"}/Hello.csproj" "$work/$2.log" | grep -m 3 -E 'error|warning')
    if [ -z "$words" ] && [ -e "$3" ]; then return; fi
    fail "$1" "not built: ${words:-see what was said of another}"
    return 1
}

# Fresh projects that have nothing but the package: no other source, an empty package cache.
fresh hello NativeIpc <"$root/samples/dotnet/Hello/Program.cs"
cat >"$work/hello/nuget.config" <<CONFIG
<configuration>
  <packageSources><clear /><add key="here" value="$packages" /></packageSources>
  <fallbackPackageFolders><clear /></fallbackPackageFolders>
</configuration>
CONFIG
library='<OutputType>Library</OutputType><TreatWarningsAsErrors>false</TreatWarningsAsErrors>'
library="$library<RunAnalyzers>true</RunAnalyzers>"
fresh platforms NativeIpc.Inspection "$library" <"$root/tests/NativeIpc.Platforms/Warned.cs"
fresh analyzed NativeIpc "$library" <<'CODE'
namespace NativeIpc.Use;

public static class Analyzed
{
    public static void Hold(SharedMemory segment) => segment.Lock();
}
CODE
for folder in platforms analyzed; do cp "$work/hello/nuget.config" "$work/$folder/"; done
together fresh 'hello platforms analyzed' ''

cd "$work/hello" || exit 1
if made "a fresh project builds against the package" fresh built/Hello; then
    pass "a fresh project builds against the package"
    verify "the package came from the folder" "not in the isolated cache" \
        test -s "$work/cache/nativeipc/$version/lib/net10.0/NativeIpc.dll"
    own=
    if [ "$(uname)" = Linux ] && unshare --ipc --mount sh -c 'mount -t tmpfs tmpfs /dev/shm' 2>/dev/null; then
        own='unshare --ipc --mount'
    fi
    run_watched "$(patient 60)" said $own sh -c '
        [ -z "$2" ] || mount -t tmpfs tmpfs /dev/shm
        "$1/built/Hello"
        code=$?
        ls -A /dev/shm 2>/dev/null | grep org.example. >"$1/left"
        exit $code' sh "$work/hello" "$own"
    code=$?
    if [ "$code" = 0 ] && grep -qE '^posix:/org\.example\.hello says: Hello from process [0-9]+$' said; then
        pass "the example of the readme runs"
    else
        fail "the example of the readme runs" "exit code $code: $(cat said)"
    fi
    if [ -s left ]; then
        fail "the example leaves nothing behind" "$(cat left)"
    else
        pass "the example leaves nothing behind"
    fi
fi

# What a system does not have is marked in the package, so that the compiler's analyzer warns of it, and of nothing
# else.
cd "$work/platforms" || exit 1
expected=$(grep -n '// CA1416$' Program.cs | cut -d: -f1 | sort -u)
warned=$(grep -F /platforms/Hello.csproj "$work/fresh.log" | grep -oE 'Program\.cs\([0-9]+,[0-9]+\): warning CA1416' |
    grep -oE '[0-9]+' | awk 'NR % 3 == 1' | sort -u)
differing=$(diff <(echo "$expected") <(echo "$warned"))
if [ -n "$expected" ] && [ -z "$differing" ] && [ -e built/Hello.dll ]; then
    pass "CA1416 warns of what a system does not have, and of nothing else"
else
    fail "CA1416 warns of what a system does not have, and of nothing else" \
        "lines expected (<) and warned (>): $differing"
fi

# The analyzers come with the package.
for library in $analyzers; do
    verify "the package NativeIpc has $library" "missing or empty" \
        test -s "$work/package/NativeIpc/analyzers/dotnet/cs/$library.dll"
    if grep -qaF -e "$root" -e "$HOME/" "$work/package/NativeIpc/analyzers/dotnet/cs/$library.dll"; then
        fail "no paths of this machine in $library" "the dll names $root or $HOME"
    else
        pass "no paths of this machine in $library"
    fi
done
verify "a scope that nothing disposes is warned of" "$(grep -F analyzed/ "$work/fresh.log")" \
    grep -q 'analyzed/Program.cs(5,[0-9]*): warning NIPC002' "$work/fresh.log"

# What others have made comes from where this machine has it; ours from the folder alone.
config() { # FOLDER [MORE]
    mkdir -p "$work/$1"
    cat >"$work/$1/nuget.config" <<CONFIG
<configuration>
  <packageSources><add key="here" value="$packages" /></packageSources>
  <packageSourceMapping>
    <packageSource key="here"><package pattern="NativeIpc*" /></packageSource>
    <packageSource key="nuget.org"><package pattern="*" /></packageSource>
  </packageSourceMapping>
  ${2:-}
</configuration>
CONFIG
}
# For native files the compiler, for example.
config ahead "<fallbackPackageFolders>
    <add key=\"machine\" value=\"${NUGET_PACKAGES:-$HOME/.nuget/packages}\" />
  </fallbackPackageFolders>"
config beside

published=
ahead() { # FOLDER PROPERTIES
    published="$published ahead/$1"
    fresh "ahead/$1" NativeIpc "<InvariantGlobalization>true</InvariantGlobalization>$2" <<'CODE'
using NativeIpc;
NativeIpcKey key = SharedMemory.PlatformSafeKey($"org.example.packed.{Environment.ProcessId}");
using SharedMemory made = SharedMemory.CreateNew(key, 4096), found = SharedMemory.OpenExisting(key);
using (found.Lock()) found.Write(0, [7]);
Console.WriteLine(made.Span[0]);
CODE
}
if [ "$(uname -sm)" = 'Linux x86_64' ]; then
    here='<RuntimeIdentifier>linux-x64</RuntimeIdentifier>'
    ahead any '<SelfContained>false</SelfContained>'
    ahead contained "$here<SelfContained>true</SelfContained>"
    ahead trimmed "$here<PublishTrimmed>true</PublishTrimmed>"
    ahead single "$here<PublishTrimmed>true</PublishTrimmed><PublishSingleFile>true</PublishSingleFile>"
    ahead ready "$here<SelfContained>false</SelfContained><PublishReadyToRun>true</PublishReadyToRun>"
    linker=$(native_linker)
    [ -z "$linker" ] || ahead native "$here<PublishAot>true</PublishAot>
        <NativeDebugSymbols>false</NativeDebugSymbols><CppCompilerAndLinker>$linker</CppCompilerAndLinker>"
fi

fresh beside/NativeIpc.Channels NativeIpc.Channels <<'CODE'
using NativeIpc;
using NativeIpc.Channels;
NativeIpcKey key = SharedMemory.PlatformSafeKey($"org.example.packed.{Environment.ProcessId}");
using SharedMemory made = SharedMemory.CreateNew(key, SharedLayouts.SizeWithHead<Packed>());
made.CreateLayout<Packed>().Text.Set("generated");
using SharedMemory found = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read);
Console.WriteLine(found.OpenReadOnlyLayout<Packed>().Text.ToString());
[SharedLayout] partial struct Packed { public int Number; public Text Text; }
[FixedText(16)] partial struct Text;
CODE
fresh beside/languages NativeIpc.Channels \
    '<NativeIpcLayoutLanguages>c;cpp;python;rust</NativeIpcLayoutLanguages>' \
    <"$work/beside/NativeIpc.Channels/Program.cs"
fresh beside/NativeIpc.DistributedLock NativeIpc.DistributedLock <<'CODE'
using NativeIpc.DistributedLock;
var mine = new NativeIpcDistributedLock($"org.example.packed.{Environment.ProcessId}");
using NativeIpcDistributedSynchronizationHandle held = mine.Acquire();
Console.WriteLine(mine.TryAcquire() is null ? "held" : "not held");
CODE
fresh beside/NativeIpc.Extensions NativeIpc.Extensions <<'CODE'
using System.Threading.RateLimiting;
using NativeIpc.Extensions;
string name = $"org.example.packed.{Environment.ProcessId}";
using (var limiter = new MachineConcurrencyLimiter(new() { Name = name, PermitLimit = 1 }))
using (RateLimitLease first = limiter.AttemptAcquire(), second = limiter.AttemptAcquire())
    Console.WriteLine(first.IsAcquired && !second.IsAcquired ? "limited" : "not limited");
#pragma warning disable CA1416 // run on Unix
MachineConcurrencyLimiter.Remove(name);
CODE
fresh beside/NativeIpc.NamedObjects NativeIpc.NamedObjects <<'CODE'
using Semaphore = NativeIpc.NamedObjects.NamedSemaphore;
using var made = new Semaphore(0, 1, $"org.example.packed.{Environment.ProcessId}");
using Semaphore found = Semaphore.OpenExisting($"org.example.packed.{Environment.ProcessId}");
Console.WriteLine(found.Release() == 0 && made.WaitOne(0) ? "met" : "not met");
CODE
together others "$(cd "$work" && echo beside/*/)" "$published"

# Machine code for Linux is in the package beside the IL: the JIT then compiles none of the library for the first lock,
# and whoever needs IL (trimmer, native compiler) finds it in the same file.
for rid in linux-x64 linux-musl-x64 linux-arm64 linux-musl-arm64; do
    verify "the package has machine code for $rid" "missing, or no larger than the IL" \
        test "$(wc -c <"$work/package/NativeIpc/runtimes/$rid/lib/net10.0/NativeIpc.dll")" -gt \
        "$(wc -c <"$work/package/NativeIpc/lib/net10.0/NativeIpc.dll")"
done
runs() { # NAME FILE SAYS: in the folder of a project of the log "others"
    made "$1" others "$2" || return
    run_watched "$(patient 60)" said "$PWD/$2"
    if [ "$(cat said)" = "$3" ]; then pass "$1"; else fail "$1" "$(cat said)"; return 1; fi
}
for folder in $published; do
    cd "$work/$folder" || exit 1
    case $folder in
    */any)
        runs 'a program for any machine runs with the machine code' published/Hello 7 || continue
        DOTNET_JitStdOutFile=$PWD/compiled DOTNET_JitDisasmSummary=1 published/Hello >/dev/null
        compiled=$(grep -c 'NativeIpc\.' compiled)
        without=$(cp "$work/package/NativeIpc/lib/net10.0/NativeIpc.dll" published/runtimes/linux-x64/lib/net10.0/ &&
            DOTNET_TieredPGO=0 DOTNET_JitStdOutFile=$PWD/compiled DOTNET_JitDisasmSummary=1 published/Hello \
                >/dev/null && grep -c 'NativeIpc\.' compiled)
        if [ "$compiled" -le 4 ] && [ "${without:-0}" -gt 50 ]; then
            pass "the JIT compiles $compiled methods of the library for the first lock, $without without machine code"
        else
            fail "the JIT compiles next to nothing of the library for the first lock" \
                "$compiled methods, $without without machine code"
        fi
        ;;
    */contained) runs 'a program with its own runtime runs' published/Hello 7 ;;
    */trimmed) runs 'a trimmed program runs' published/Hello 7 ;;
    */single) runs 'a trimmed program in a single file runs' published/Hello 7 ;;
    */ready) runs 'a program that is compiled ahead itself runs' published/Hello 7 ;;
    */native) runs 'a native program runs' published/Hello 7 ;;
    esac
done

# A package beside the core: what is inside, what it depends on, and a program that has nothing but the packages.
# beside NAME DEPENDENCIES SAYS
beside() {
    local name=$1 dependencies=$2 says=$3 folder=$work/package/$1 file
    if [ ! -s "$packages/$name.$version.nupkg" ]; then
        fail "$name packs" "there is no package"
        return
    fi
    pass "$name packs"
    unzip -q "$packages/$name.$version.nupkg" -d "$folder"
    for file in README.md LICENSE "lib/net10.0/$name.dll" "lib/net10.0/$name.xml"; do
        verify "$name has $file" "missing or empty" test -s "$folder/$file"
    done
    same_readme "$name" "src/$name/README.md" "$folder/README.md"
    verify "$name has symbols" "no snupkg" test -s "$packages/$name.$version.snupkg"
    file=$(grep -oE '<dependency id="[^"]+"' "$folder/$name.nuspec" | cut -d'"' -f2 | sort -u | tr '\n' ' ')
    if [ "$file" = "$dependencies " ]; then
        pass "$name depends on nothing else than it says"
    else
        fail "$name depends on nothing else than it says" "$file"
    fi
    cd "$work/beside/$name" || exit 1
    runs "a program that has nothing but the package $name runs" built/Hello "$says"
}

beside NativeIpc.Channels NativeIpc generated
cd "$work/beside/languages" || exit 1
if made "the build of a project with the package NativeIpc.Channels writes declarations" others built/Hello; then
    verify "the build of a project with the package NativeIpc.Channels writes declarations" "not in Hello.h" \
        grep -q 'offsetof(Packed, text) == 4' built/layouts/Hello.h
fi
verify "its assembly has them for nipc layout" "not in Hello.dll" \
    grep -aq 'offsetof(Packed, text) == 4' built/Hello.dll

beside NativeIpc.DistributedLock 'DistributedLock.Core NativeIpc' held

hosting='Microsoft.Extensions.Configuration Microsoft.Extensions.Configuration.Binder Microsoft.Extensions.Diagnostics'
hosting="$hosting Microsoft.Extensions.Diagnostics.HealthChecks Microsoft.Extensions.Hosting.Abstractions"
hosting="$hosting Microsoft.Extensions.Options.ConfigurationExtensions"
beside NativeIpc.Extensions "$hosting NativeIpc NativeIpc.Inspection System.Threading.RateLimiting" limited

beside NativeIpc.NamedObjects NativeIpc met

# The tool: installed from the folder as a user does, and started.
mkdir "$work/user" && cd "$work/user" || exit 1
if ! NUGET_PACKAGES=$work/cache dotnet tool install NativeIpc.Tool --version "$version" --tool-path "$work/tools" \
    --configfile "$work/hello/nuget.config" >"$work/tool.log" 2>&1; then
    fail "installs the tool" "$(cat "$work/tool.log")"
else
    pass "installs the tool"
    for package in "$packages"/NativeIpc.Tool.*nupkg; do
        name=${package##*/}
        said=$(unzip -l "$package")
        if grep -q nipc.md <<<"$said" && grep -q LICENSE <<<"$said"; then
            pass "$name has the page and the licence"
        else
            fail "$name has the page and the licence" "$said"
        fi
    done
    run_watched "$(patient 60)" said "$work/tools/nipc" key safe packed -t posix
    if [ "$(cat said)" = posix:/packed ]; then
        pass "the installed tool runs"
    else
        fail "the installed tool runs" "$(cat said)"
    fi
    if [ "$(uname -sm)" = 'Linux x86_64' ]; then
        files=$(unzip -Z1 "$packages/NativeIpc.Tool.linux-x64.$version.nupkg" 'tools/*' | sort | tr '\n' ' ')
        if [ "$files" = 'tools/any/linux-x64/DotnetToolSettings.xml tools/any/linux-x64/nipc ' ]; then
            pass "the package for linux-x64 has the native file alone"
        else
            fail "the package for linux-x64 has the native file alone" "$files"
        fi
        run_watched "$(patient 60)" said env DOTNET_ROOT=/nonexistent "$work/tools/nipc" --version
        if [ "$(cat said)" = "$version" ]; then
            pass "on linux-x64 the installed tool needs no .NET"
        else
            fail "on linux-x64 the installed tool needs no .NET" "$(cat said)"
        fi
    fi
    unzip -q "$packages/NativeIpc.Tool.any.$version.nupkg" 'tools/*' -d any
    run_watched "$(patient 60)" said dotnet any/tools/net10.0/any/nipc.dll key safe packed -t posix
    if [ "$(cat said)" = posix:/packed ]; then
        pass "what the other systems get runs on .NET"
    else
        fail "what the other systems get runs on .NET" "$(cat said)"
    fi
    verify "and on a newer .NET" "no rollForward Major" \
        grep -q '"rollForward": "Major"' any/tools/net10.0/any/nipc.runtimeconfig.json
fi
exit $failures
