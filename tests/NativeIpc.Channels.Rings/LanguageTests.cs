using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Peers in other languages, and what each pair of them does.</summary>
public abstract class LanguageTests : ChannelTests
{
    private const int Count = 2000;

    private static readonly Lock s_building = new();
    private static readonly HashSet<string> s_built = [];

    private protected void Send(string from, string to)
    {
        NativeIpcKey key = NextKey();
        Process receiver = In(to, "receive", key);
        Assert.Equal("ready", Line(receiver));
        Process sender = In(from, "send", key, "5", $"{Count}");
        Assert.Equal("sent", Line(sender));
        Assert.Equal($"received {Count}", Line(receiver));
    }

    private protected void Publish(string from, string to)
    {
        NativeIpcKey key = NextKey();
        Process reader = In(to, "follow", key);
        Assert.Equal("ready", Line(reader));
        Process second = In(to, "follow", key, "read");
        Assert.Equal("ready", Line(second));
        Process writer = In(from, "publish", key, "5", $"{Count}");
        Assert.Equal("sent", Line(writer));
        foreach (Process one in new[] { reader, second })
        {
            string[] told = Line(one)!.Split(' ');
            Assert.Equal("followed", told[0]);
            Assert.Equal(Count, int.Parse(told[1]) + int.Parse(told[2]));
        }
    }

    private protected void TakeOver(string killed, string next)
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 16384);
        Process holder = In(killed, "hold", key);
        Assert.Equal("held", Line(holder));
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.Living, holder.Id), ring.Writer);
        Process receiver = In(next, "receive", key);
        Assert.Equal("ready", Line(receiver));
        Process sender = In(next, "send", key, "5", "10"); // waits for the role
        holder.Kill();
        Assert.Equal("took over", Line(sender));
        Assert.Equal("sent", Line(sender));
        Assert.Equal("received 10", Line(receiver));
    }

    private protected Process In(string language, string verb, NativeIpcKey key, params string[] more)
    {
        string[] words = language.Split(' ');
        string name = key.Type.IsSystemV ? $"{key}" : key.NativeKey;
        string program = verb.StartsWith("storm", StringComparison.Ordinal)
            || verb is "show" or "show-topic" or "free" or "end" ? "storm" : "peer";
        string[] command = words[^1] switch
        {
            "dotnet" => [Path.Combine(Metadata("PeerFolder"), "NativeIpc.Channels.Peer"), verb, $"{key}", .. more],
            "python" => [Peers.Require("/usr/bin/python3", "python3"), Source($"{program}.py"), verb, name, .. more],
            "c" when program == "storm" => [Built("storm"), verb, name, .. more],
            "musl" => [Built("musl"), verb, name, .. more],
            _ => [Built(words[^1]), verb, name, .. more],
        };
        if (words.Length > 1) command = [Built("c"), words[0], .. command];
        return Start(command[0], command[1..]);
    }

    private static string Source(string name)
        => Path.Combine(Metadata("Repository"), "tests", "peers", "channels", name);

    /// <summary>The peer in C, C++ or C++ with Qt.</summary>
    private static string Built(string language)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "channel-peer-" + language);
        lock (s_building)
        {
            if (!s_built.Add(language)) return program;
            string compiler = language is "c" or "storm" ? "gcc" : language == "musl" ? "musl-gcc" : "g++";
            string root = Metadata("Repository");
            string[] what = language switch
            {
                "c" => ["-std=c11", "-Wpedantic", Source("peer.c")],
                "storm" => ["-std=c11", "-Wpedantic", Source("storm.c")],
                "musl" => ["-std=c11", "-static", Source("storm.c")],
                "cpp" => ["-x", "c++", "-std=c++11", "-U_GNU_SOURCE", Source("peer.c")],
                "qt5.15" => WithQt("5", "qtbase5-dev"),
                _ => WithQt("6", "qt6-base-dev"),
            };
            _ = Shell.Run(Peers.Require(compiler, language == "musl" ? "musl-tools" : compiler),
                ["-O2", "-Wall", "-Wextra", "-Werror", "-I", Path.Combine(root, "include"), "-o", program, .. what],
                watchdog: Patience.Minutes(3)).Succeeded;
        }

        return program;
    }

    private static string[] WithQt(string version, string package)
    {
        string folder = Path.Combine(Metadata("Repository"), "interop", "qt");
        bool isArm = RuntimeInformation.OSArchitecture == Architecture.Arm64;
        string headers = Peers.Require(
            $"/usr/include/{(isArm ? "aarch64" : "x86_64")}-linux-gnu/qt{version}", package);
        return ["-std=c++17", "-fPIC", "-I", folder, "-isystem", headers, "-isystem", Path.Combine(headers, "QtCore"),
            Path.Combine(folder, "nativeipc_channels_qt.cpp"), Source("peer_qt.cpp"), $"-lQt{version}Core"];
    }
}
