#!/usr/bin/env bash
# .NET 11.0.0 starts no program whose standard input is closed, and ends as if it had been killed.
# Guess: a closed standard input matters to a program that reads it, which finds its end or an error at once.
# Seen (Microsoft.NETCore.App 10.0.12 and 11.0.0): 11.0.0 duplicates descriptor 0 while it starts, gives up on EBADF,
# and says "Failed to create CoreCLR, HRESULT: 0x8007FF07". Its exit code, 137, is what shells and containers say of a
# SIGKILL. A closed output or error output does no harm. 10.0.12 duplicates it, too, but has made a pipe before, whose
# reading end is descriptor 0 then: it starts, and a program that reads its standard input waits for ever, in that pipe.
. "$(dirname "$0")/lib.sh"
unpack strace=6.1-0.1
host=$(dirname "$(readlink -f "$(command -v dotnet)")")
cat >start.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <UseAppHost>false</UseAppHost>
  </PropertyGroup>
  <ItemGroup>
    <PackageDownload Include="Microsoft.NETCore.App.Runtime.linux-x64" Version="[10.0.12];[11.0.0]" />
  </ItemGroup>
</Project>
X
cat >start.cs <<'CS'
string zero = new FileInfo("/proc/self/fd/0").LinkTarget!;
int ends = Directory.GetFiles("/proc/self/fd").Count(each => new FileInfo(each).LinkTarget == zero);
string input = zero.StartsWith("pipe:") ? $"a pipe, {ends} descriptors of it here" : zero;
File.WriteAllText("said", "started, input " + input);
if (args.Length > 0) Console.In.Read();
CS
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 NUGET_PACKAGES=$work/packages
dotnet build -v q -o built --disable-build-servers -p:UseSharedCompilation=false start.csproj >log ||
    { cat log; exit 1; }
for version in 10.0.12 11.0.0; do # each pack as an installation of its own
    printf 'package: Microsoft.NETCore.App.Runtime.linux-x64 %s\n' "$version"
    pack=packages/microsoft.netcore.app.runtime.linux-x64/$version/runtimes/linux-x64
    mkdir -p "$version/shared/Microsoft.NETCore.App/$version" "$version/host/fxr/$version"
    cp "$pack"/lib/net*/* "$pack"/native/*.so "$version/shared/Microsoft.NETCore.App/$version"
    cp "$pack/native/libhostfxr.so" "$version/host/fxr/$version"
    cp "$host/dotnet" "$version"
done
run() { # VERSION [reads]
    DOTNET_ROOT=$work/$1 exec ${traced:-} "$1/dotnet" exec --fx-version "$1" built/start.dll "${@:2}"
}
told() { # CODE: what became of it
    printf '%s, %s%s\n' "$1" "$(cat said)" "$(grep -aoE 'Failed to create.*' errors | head -n 1)"
    : >said
}
touch said errors
for version in 10.0.12 11.0.0; do
    code=0; (run $version </dev/null 2>errors) || code=$?
    expect "$version, empty input" '0, started, input /dev/null' "$(told $code)"
    code=0; (run $version </dev/null >&- 2>errors) || code=$?
    expect "$version, closed output" '0, started, input /dev/null' "$(told $code)"
    code=0; (run $version </dev/null 2>&-) || code=$?
    expect "$version, closed error output" '0, started, input /dev/null' "$(told $code)"
done
code=0; (run 10.0.12 <&- 2>errors) || code=$?
expect '10.0.12, closed input' '0, started, input a pipe, 3 descriptors of it here' "$(told $code)"
code=0; (run 11.0.0 <&- 2>errors) || code=$?
expect '11.0.0, closed input' '137, Failed to create CoreCLR, HRESULT: 0x8007FF07' "$(told $code)"
traced="root/usr/bin/strace -f -o calls -e trace=fcntl"
(run 11.0.0 <&- 2>errors) || :
expect '11.0.0, its last call on descriptor 0' 'fcntl(0, F_DUPFD_CLOEXEC, 0) = -1 EBADF (Bad file descriptor)' \
    "$(grep -o 'fcntl(0,.*' calls | tail -n 1 | tr -s ' ')"
traced=

run 10.0.12 reads <&- 2>errors &
reader=$!
in_read() { # whether its first thread waits in read(2), and of what
    local call number
    read -r call number _ <"/proc/$reader/syscall" 2>/dev/null && [ "$call" = 0 ] && [ -s said ] &&
        from=$(readlink "/proc/$reader/fd/$((number))")
}
until in_read; do [ -d "/proc/$reader" ] && sleep 0.1; done
expect '10.0.12, a reader of closed input waits for' 'that pipe' \
    "$([ "$from" = "$(readlink "/proc/$reader/fd/0")" ] && echo 'that pipe' || echo "$from")"
kill -9 "$reader"
wait "$reader" 2>/dev/null || :
finish
