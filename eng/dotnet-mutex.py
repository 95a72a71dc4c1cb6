#!/usr/bin/env python3
"""What a named Mutex of .NET does on Linux, with the SDK's runtime and with other ones (10.0.15 and 11.0.0), each with
the JIT compiler and as a native file: the table in docs/guides/from-windows.md comes from this.

    eng/dotnet-mutex.py [VERSION...]

No part of ./test.sh: minutes, and NuGet for what is not there. A native file that cannot be published is left out.
"""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NAME = f"nativeipc-mutex-{os.getpid()}"
# The packs of a newer version, with the SDK of the older one: from .NET 11 on the SDK calls NativeCompile itself.
PROJECT = """<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup>
    <OutputType>Exe</OutputType>
    <TargetFramework>net10.0</TargetFramework>
    <ImplicitUsings>enable</ImplicitUsings>
    <InvariantGlobalization>true</InvariantGlobalization>
  </PropertyGroup>
  <ItemGroup Condition="'$(Packs)' != ''">
    <KnownILCompilerPack Update="@(KnownILCompilerPack)" ILCompilerPackVersion="$(Packs)" />
    <KnownRuntimePack Update="@(KnownRuntimePack)" LatestRuntimeFrameworkVersion="$(Packs)" />
    <KnownFrameworkReference Update="Microsoft.NETCore.App" LatestRuntimeFrameworkVersion="$(Packs)" />
  </ItemGroup>
  <Target Name="_PrepareTrimConfiguration" DependsOnTargets="PrepareForILLink" />
  <Target Name="NativeByTheOlderSdk" AfterTargets="ComputeResolvedFilesToPublishList" DependsOnTargets="NativeCompile"
    Condition="'$(Packs)' != '' and $([MSBuild]::VersionGreaterThanOrEquals('$(Packs)', '11.0.0'))" />
</Project>
"""
PROGRAM = """
// NAME [hold|open]: takes the mutex and says how that went; keeps it, or only has it open, until its input ends.
using System.IO.MemoryMappedFiles;

if (args[0] == "kinds")
{
    Say("Semaphore", () => new Semaphore(1, 1, args[1]));
    Say("EventWaitHandle", () => new EventWaitHandle(true, EventResetMode.AutoReset, args[1]));
    Say("MemoryMappedFile", () => MemoryMappedFile.CreateNew(args[1], 10));
    return;
}

using var mutex = new Mutex(false, args[0], out bool isNew);
string mode = args.Length > 1 ? args[1] : "";
Console.WriteLine($"new {isNew}, {(mode == "open" ? "opened" : Take())}");
if (mode != "") Console.ReadLine();

string Take()
{
    try
    {
        return mutex.WaitOne(0) ? "got it" : "not free";
    }
    catch (AbandonedMutexException)
    {
        return "told that it was abandoned";
    }
}

static void Say(string what, Func<IDisposable> make)
{
    try
    {
        make().Dispose();
        Console.WriteLine($"{what} made");
    }
    catch (PlatformNotSupportedException)
    {
        Console.WriteLine($"{what} PlatformNotSupportedException");
    }
}
"""


class Running:
    def __init__(self, words, *arguments):
        self.process = subprocess.Popen([*words, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.said = self.process.stdout.readline().strip()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def said(words, *arguments):
    return subprocess.run([*words, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          check=True).stdout.strip()


def programs(folder, versions):
    """Each program's name and the words that start it."""
    for name, text in (("mutex.csproj", PROJECT), ("mutex.cs", PROGRAM)):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    subprocess.run(["cp", f"{ROOT}/global.json", folder], check=True)
    quiet = ["-v", "q", "-nologo", "-p:UseSharedCompilation=false"]
    subprocess.run(["dotnet", "build", "mutex.csproj", *quiet, "-o", "built"], cwd=folder, check=True)
    listed = subprocess.run(["dotnet", "--list-runtimes"], stdout=subprocess.PIPE, text=True, check=True).stdout
    older = re.findall(r"^Microsoft\.NETCore\.App (\S+)", listed, re.M)[-1]
    program = f"{folder}/built/mutex.dll"
    yield older, ["dotnet", "exec", "--fx-version", older, program]
    for version in versions:
        home = said([f"{ROOT}/eng/newer-dotnet.sh"], version)
        yield version, [f"{home}/dotnet", "exec", "--fx-version", version, program]
    for version in (older, *versions):
        own = f"{folder}/native-{version}"
        os.mkdir(own)
        subprocess.run(["cp", "global.json", "mutex.csproj", "mutex.cs", own], cwd=folder, check=True)
        published = subprocess.run(
            ["dotnet", "publish", "mutex.csproj", *quiet, "-o", "out", "-p:PublishAot=true",
             f"-p:Packs={version if version != older else ''}", "-p:CppCompilerAndLinker=gcc"], cwd=own,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if published.returncode == 0 and os.path.exists(f"{own}/out/mutex"):
            yield f"{version} native", [f"{own}/out/mutex"]
        else:
            print(f"{version} native: not published: {published.stdout}")


def files(name):
    places = ["/tmp/.dotnet", "/dev/shm", os.path.expanduser("~/.dotnet")]
    return [f"{path}/{found}" for place in places for path, _, names in os.walk(place) for found in names
            if found.endswith(name)]


def main(*versions):
    os.environ.update(DOTNET_CLI_TELEMETRY_OPTOUT="1", DOTNET_NOLOGO="1", MSBUILDDISABLENODEREUSE="1",
                      DOTNET_CLI_USE_MSBUILD_SERVER="0")
    for variable in ("DOTNET_ROOT", "XDG_RUNTIME_DIR", "DOTNET_ROLL_FORWARD"):
        os.environ.pop(variable, None)
    with tempfile.TemporaryDirectory() as folder:
        kinds = list(programs(folder, versions))
        names = (f"{NAME}-{number}" for number in range(10_000))
        for prefix in ("Global\\", ""):
            for holder, words in kinds:
                for other, others in kinds:
                    name = next(names)
                    held = Running(words, prefix + name, "hold")
                    print(f"{prefix}NAME held by {holder} ({held.said}), asked for by {other}: "
                          f"{said(others, prefix + name)}")
                    held.end()
        for kind, words in kinds:
            name = next(names)
            held = Running(words, f"Global\\{name}", "hold")
            print(f"{kind}: its file {files(name)}; asked for with XDG_RUNTIME_DIR: "
                  f"{said(['env', f'XDG_RUNTIME_DIR={folder}', *words], f'Global{chr(92)}{name}')}")
            held.kill()
            print(f"{kind} killed, nobody else had it open: {said(words, f'Global{chr(92)}{name}')}")
            name = next(names)
            held = Running(words, f"Global\\{name}", "hold")
            opened = Running(words, f"Global\\{name}", "open")
            held.kill()
            print(f"{kind} killed, another one had it open ({opened.said}): {said(words, f'Global{chr(92)}{name}')}")
            opened.end()
            print(f"{kind}: {', '.join(said(words, 'kinds', name).splitlines())}")


def clean():
    for number in range(200):
        for path in files(f"{NAME}-{number}"):
            os.remove(path)


if __name__ == "__main__":
    try:
        main(*(sys.argv[1:] or ["10.0.15", "11.0.0"]))
    finally:
        clean()
