#!/usr/bin/env bash
# .NET 10.0.15 keeps named mutexes in $XDG_RUNTIME_DIR, else below $HOME: it does not meet 10.0.12, nor a process of the
# same user where these two differ.
# Guess: `new Mutex(false, "Global\jobs")` is one mutex for all processes of a user, whatever the runtime's patch and
# the environment.
# Seen (Microsoft.NETCore.App 10.0.12 and 10.0.15): 10.0.12 keeps it in /tmp/.dotnet/shm. 10.0.15 beside it is told
# createdNew, and both hold "the" mutex, without an error. So do two of 10.0.15 with different HOMEs, and one with and
# one without XDG_RUNTIME_DIR. A mutex that 10.0.15 opens for all users and sessions, by NamedWaitHandleOptions, is that
# of 10.0.12.
. "$(dirname "$0")/lib.sh"
host=$(dirname "$(readlink -f "$(command -v dotnet)")")
cat >two.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <UseAppHost>false</UseAppHost>
  </PropertyGroup>
  <ItemGroup>
    <PackageDownload Include="Microsoft.NETCore.App.Runtime.linux-x64" Version="[10.0.12];[10.0.15]" />
  </ItemGroup>
</Project>
X
cat >two.cs <<'CS'
NamedWaitHandleOptions forAll = new() { CurrentUserOnly = false, CurrentSessionOnly = false };
bool isNew;
using var mutex = args[^1] == "all" ? new Mutex(false, args[0], forAll, out isNew)
    : new Mutex(false, $"Global\\{args[0]}", out isNew);
Console.WriteLine($".NET {Environment.Version}: new {isNew}, got it {mutex.WaitOne(0)}");
if (args[^1] == "hold") Console.ReadLine();
CS
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 NUGET_PACKAGES=$work/packages
dotnet build -v q -o built --disable-build-servers -p:UseSharedCompilation=false two.csproj >log || { cat log; exit 1; }
for version in 10.0.12 10.0.15; do # each pack as an installation of its own
    printf 'package: Microsoft.NETCore.App.Runtime.linux-x64 %s\n' "$version"
    pack=packages/microsoft.netcore.app.runtime.linux-x64/$version/runtimes/linux-x64
    mkdir -p "$version/shared/Microsoft.NETCore.App/$version" "$version/host/fxr/$version"
    cp "$pack"/lib/net*/* "$pack"/native/*.so "$version/shared/Microsoft.NETCore.App/$version"
    cp "$pack/native/libhostfxr.so" "$version/host/fxr/$version"
    cp "$host/dotnet" "$version"
done
unset XDG_RUNTIME_DIR
mkdir one other
run() { # VERSION HOME [hold|all]
    HOME=$work/$2 DOTNET_ROOT=$work/$1 "$1/dotnet" exec --fx-version "$1" built/two.dll "$name" "${@:3}"
}
name=finding-$$
hold() { # VERSION HOME: holds it until "over"
    coproc { run "$@" hold; }
    exec 7>&"${COPROC[1]}"
    read -r line <&"${COPROC[0]}"
    holder=$COPROC_PID
}
over() { echo >&7; wait "$holder"; }
files() { # FOLDER...
    find "$@" -name "$name" | sed "s|^$work/||; s/$name/NAME/" | sort | xargs
}
hold 10.0.12 one
expect 'who holds it' '.NET 10.0.12: new True, got it True' "$line"
expect 'its file' '/tmp/.dotnet/shm/global/NAME' "$(files /tmp/.dotnet "$work")"
expect 'the same version' '.NET 10.0.12: new False, got it False' "$(run 10.0.12 other)"
expect 'a newer patch' '.NET 10.0.15: new True, got it True' "$(run 10.0.15 one)"
expect 'a newer patch, by its options' '.NET 10.0.15: new False, got it False' "$(run 10.0.15 one all)"
over
hold 10.0.15 one
expect 'who holds it' '.NET 10.0.15: new True, got it True' "$line"
expect 'its file' one/.dotnet/corefx/Runtime/SharedMemory/.dotnet/shm/global/NAME "$(files one /tmp/.dotnet)"
expect 'the same version' '.NET 10.0.15: new False, got it False' "$(run 10.0.15 one)"
expect 'another HOME' '.NET 10.0.15: new True, got it True' "$(run 10.0.15 other)"
mkdir -m 700 session
expect 'with XDG_RUNTIME_DIR' '.NET 10.0.15: new True, got it True' \
    "$(XDG_RUNTIME_DIR=$work/session run 10.0.15 one)"
over
export XDG_RUNTIME_DIR=$work/session
hold 10.0.15 one
expect 'its file, with XDG_RUNTIME_DIR' session/.dotnet/shm/global/NAME "$(files session)"
over
finish
