using System.Diagnostics;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Rings and topics between .NET, C, C++, Python and both Qts, in both directions.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class InteropTests : LanguageTests
{
    private static readonly string[] s_languages = ["dotnet", "c", "cpp", "python", "qt5.15", "qt6.4"];

    public static TheoryData<string, string> Pairs
    {
        get
        {
            var pairs = new TheoryData<string, string>();
            foreach (string one in s_languages)
            {
                foreach (string other in s_languages) pairs.Add(one, other);
            }

            return pairs;
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    [Pair]
    public void A_ring_takes_messages_from_each_language_to_each(string from, string to) => Send(from, to);

    [Theory]
    [MemberData(nameof(Pairs))]
    [Pair]
    public void A_topic_takes_messages_from_each_language_to_each(string from, string to) => Publish(from, to);

    [Theory]
    [MemberData(nameof(Pairs))]
    [Pair]
    public void A_killed_writer_is_followed_by_one_of_each_language_that_is_told(string killed, string next)
        => TakeOver(killed, next);

    [Theory]
    [InlineData("dotnet", "c")]
    [InlineData("c", "python")]
    [InlineData("python", "qt6.4")]
    [InlineData("qt6.4", "dotnet")]
    public void A_killed_writer_of_a_topic_is_followed_by_one_that_is_told_and_half_a_message_is_given_to_nobody(
        string killed, string next)
    {
        NativeIpcKey key = NextKey();
        using SharedTopic topic = SharedTopic.CreateNew(key, 2048, history: 7);
        Process holder = In(killed, "hold", key, "topic");
        Assert.Equal("held", Line(holder));
        Assert.Equal(new SharedChannelPeer(SharedChannelPeerState.Living, holder.Id), topic.Writer);
        Process reader = In(next, "follow", key);
        Assert.Equal("ready", Line(reader));
        Process writer = In(next, "publish", key, "5", "5"); // waits for the role
        holder.Kill();
        Assert.Equal("took over", Line(writer));
        Assert.Equal("sent", Line(writer));
        Assert.Equal("followed 5 0", Line(reader));
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
        Send(from, to);
        Publish(from, to);
    }

    [Fact]
    public void Python_refuses_a_ring_of_many_and_says_what_to_use()
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096, SharedRingForm.ManyToMany);
        Assert.Equal("The ring is one of many writers and readers, which take turns by atomic exchanges, and Python "
            + "has none: use C, C++ or .NET there, or a ring of one writer and one reader.",
            Line(In("python", "refused", key)));
    }

    [Fact]
    public void Python_refuses_another_processor_than_x64_and_says_why()
    {
        ShellResult refused = Shell.Run(Peers.Require("/usr/bin/python3", "python3"),
            ["-c", "import platform; platform.machine = lambda: 'aarch64'; import nativeipc_channels"],
            environment: [new("PYTHONPATH", Path.Combine(Metadata("Repository"), "interop", "python"))]);
        Assert.Equal(1, refused.ExitCode);
        Assert.EndsWith("ImportError: nativeipc_channels is for x64: other processors may show the writes of a process "
            + "in another order, and Python has no instruction against that. This is aarch64.\n", refused.Error,
            StringComparison.Ordinal);
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
        string pipe = (key.Type.IsSystemV ? "" : "/dev/shm") + key.NativeKey;
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
}
