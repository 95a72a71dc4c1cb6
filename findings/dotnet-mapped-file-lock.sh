#!/usr/bin/env bash
# A .NET program that maps a file by MemoryMappedFile.CreateFromFile keeps a shared flock(2) on it.
# Guess: mapping a file locks nothing, as with mmap(2); an flock on it is not kept waiting.
# Seen (.NET as global.json names it, which the script prints): while the map is open, an exclusive flock of the file in
# /dev/shm is not to be had, and a shared one is. When it is disposed, both are.
. "$(dirname "$0")/lib.sh"
cat >map.csproj <<'X'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <UseAppHost>false</UseAppHost>
  </PropertyGroup>
</Project>
X
cat >map.cs <<'CS'
using System.IO.MemoryMappedFiles;
using (MemoryMappedFile.CreateFromFile("/dev/shm/file", FileMode.Open))
{
    Console.WriteLine(Environment.Version);
    Console.ReadLine();
}
Console.WriteLine("disposed");
Console.ReadLine();
CS
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
dotnet build -v q -o built --disable-build-servers -p:UseSharedCompilation=false map.csproj >log || { cat log; exit 1; }
lock() { flock --nonblock "$1" /dev/shm/file true && echo had || echo refused; }
truncate -s 4096 /dev/shm/file
coproc dotnet built/map.dll
program=$COPROC_PID
exec 7>&"${COPROC[1]}" 8<&"${COPROC[0]}"
read -r line <&8
printf 'runtime: .NET %s\n' "$line"
expect 'an exclusive lock, while it is mapped' refused "$(lock --exclusive)"
expect 'a shared lock, while it is mapped' had "$(lock --shared)"
echo >&7
read -r line <&8
expect 'then' disposed "$line"
expect 'an exclusive lock' had "$(lock --exclusive)"
echo >&7
wait "$program"
finish
