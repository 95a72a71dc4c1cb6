using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Rings and topics between .NET, C, C++, Python and both Qts, in both directions.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class InteropTests : ChannelTests
{
    private const int Count = 2000;

    private static readonly string[] s_languages = ["dotnet", "c", "cpp", "python"];
    private static readonly string[] s_qts = ["qt5.15", "qt6.4"];

    public static TheoryData<string, string> Pairs
    {
        get
        {
            var pairs = new TheoryData<string, string>();
            foreach (string one in s_languages)
            {
                foreach (string other in s_languages) pairs.Add(one, other);
            }

            foreach (string qt in s_qts)
            {
                foreach (string other in s_languages.Where(language => language != "cpp"))
                {
                    pairs.Add(qt, other);
                    pairs.Add(other, qt);
                }

                foreach (string other in s_qts) pairs.Add(qt, other);
            }

            return pairs;
        }
    }

    private static readonly Lock s_building = new();
    private static readonly HashSet<string> s_built = [];

    [Theory]
    [MemberData(nameof(Pairs))]
    public void A_ring_takes_messages_from_each_language_to_each(string from, string to)
    {
        NativeIpcKey key = NextKey();
        Process receiver = In(to, "receive", key);
        Assert.Equal("ready", Line(receiver));
        Process sender = In(from, "send", key, "5", $"{Count}");
        Assert.Equal("sent", Line(sender));
        Assert.Equal($"received {Count}", Line(receiver));
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void A_topic_takes_messages_from_each_language_to_each(string from, string to)
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

    [Theory]
    [MemberData(nameof(Pairs))]
    public void A_killed_writer_is_followed_by_one_of_each_language_that_is_told(string killed, string next)
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

    [Theory]
    [InlineData("dotnet", "unfenced c")]
    [InlineData("unfenced dotnet", "c")]
    [InlineData("c", "unfenced dotnet")]
    [InlineData("unfenced c", "python")]
    [InlineData("unfenced python", "dotnet")]
    [InlineData("dotnet", "unfenced python")]
    public void Where_membarrier_is_refused_to_one_side_no_message_is_left_lying(string from, string to)
    {
        A_ring_takes_messages_from_each_language_to_each(from, to);
        A_topic_takes_messages_from_each_language_to_each(from, to);
    }

    [Theory]
    [InlineData("c")]
    [InlineData("cpp")]
    [InlineData("python")]
    [InlineData("qt5.15")]
    [InlineData("qt6.4")]
    public void Who_reads_the_latest_message_has_missed_none(string language)
        => Assert.Equal("latest 20 0", Line(In(language, "latest", NextKey())));

    [Theory]
    [InlineData("qt5.15")]
    [InlineData("qt6.4")]
    public void A_device_of_Qt_says_what_fails_keeps_deadlines_and_has_a_thread_for_signals_only(string language)
    {
        Process peer = In(language, "self", NextKey());
        Assert.Equal("self ok", Line(peer));
        Ended(peer);
        Assert.Equal(0, peer.ExitCode);
    }

    [Theory]
    [InlineData("c")]
    [InlineData("cpp")]
    [InlineData("python")]
    [InlineData("qt5.15")]
    [InlineData("qt6.4")]
    public void A_stranger_s_pipe_of_the_name_holds_nobody_up(string language)
    {
        NativeIpcKey key = NextKey();
        string pipe = "/dev/shm/" + key.NativeKey.TrimStart('/');
        _ = Shell.Run("mkfifo", [pipe]).Succeeded;
        try
        {
            Ended(In(language, "follow", key, "read"));
        }
        finally
        {
            File.Delete(pipe);
        }
    }

    private Process In(string language, string verb, NativeIpcKey key, params string[] more)
    {
        string[] words = language.Split(' ');
        string[] command = words[^1] switch
        {
            "dotnet" => [Path.Combine(Metadata("PeerFolder"), "NativeIpc.Channels.Peer"), verb, $"{key}", .. more],
            "python" => [Peers.Require("python3", "python3"), Source("peer.py"), verb, key.NativeKey, .. more],
            _ => [Built(words[^1]), verb, key.NativeKey, .. more],
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
            string compiler = language == "c" ? "gcc" : "g++", root = Metadata("Repository");
            string[] what = language switch
            {
                "c" => ["-std=c11", "-Wpedantic", Source("peer.c")],
                "cpp" => ["-x", "c++", "-std=c++11", "-U_GNU_SOURCE", Source("peer.c")],
                "qt5.15" => WithQt("5", "qtbase5-dev"),
                _ => WithQt("6", "qt6-base-dev"),
            };
            _ = Shell.Run(Peers.Require(compiler, compiler),
                ["-O2", "-Wall", "-Wextra", "-Werror", "-I", Path.Combine(root, "include"), "-o", program, .. what])
                .Succeeded;
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
