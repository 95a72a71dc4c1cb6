using System.Diagnostics;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>The tests of rings with keys of System V.</summary>
public sealed class SystemVRingTests : RingTests
{
    private protected override NativeIpcKeyType KeyType => NativeIpcKeyType.SystemV;
}

/// <summary>The tests of garbage in the control words of rings with keys of System V.</summary>
public sealed class SystemVRingFuzzTests : RingFuzzTests
{
    private protected override NativeIpcKeyType KeyType => NativeIpcKeyType.SystemV;
}

/// <summary>The tests of rings of many with keys of System V.</summary>
public sealed class SystemVManyRingTests : ManyRingTests
{
    private protected override NativeIpcKeyType KeyType => NativeIpcKeyType.SystemV;
}

/// <summary>The tests of killed processes at rings of many with keys of System V.</summary>
public sealed class SystemVManyRingCrashTests : ManyRingCrashTests
{
    private protected override NativeIpcKeyType KeyType => NativeIpcKeyType.SystemV;
}

/// <summary>The storm of many to many with keys of System V.</summary>
public sealed class SystemVManyStormTests : ManyStormTests
{
    private protected override NativeIpcKeyType KeyType => NativeIpcKeyType.SystemV;

    private protected override bool ComesToEveryStep => IsLong;
}

/// <summary>The tests of topics with keys of System V.</summary>
public sealed class SystemVTopicTests : TopicTests
{
    private protected override NativeIpcKeyType KeyType => NativeIpcKeyType.SystemV;
}

/// <summary>The tests of killed processes with keys of System V.</summary>
public sealed class SystemVCrashTests : RingCrashTests
{
    private protected override NativeIpcKeyType KeyType => NativeIpcKeyType.SystemV;
}

/// <summary>The tests of languages with keys of System V.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class SystemVInteropTests : LanguageTests
{
    private protected override NativeIpcKeyType KeyType => NativeIpcKeyType.SystemV;

    public static TheoryData<string, string> Pairs => new()
    {
        { "dotnet", "c" },
        { "c", "dotnet" },
        { "dotnet", "python" },
        { "python", "dotnet" },
        { "c", "python" },
        { "python", "c" },
        { "cpp", "qt5.15" },
        { "qt6.4", "dotnet" },
        { "qt5.15", "qt6.4" },
    };

    [Theory]
    [MemberData(nameof(Pairs))]
    public void A_ring_takes_messages_from_one_language_to_another(string from, string to) => Send(from, to);

    [Theory]
    [MemberData(nameof(Pairs))]
    public void A_topic_takes_messages_from_one_language_to_another(string from, string to) => Publish(from, to);

    [Theory]
    [MemberData(nameof(Pairs))]
    public void A_killed_writer_is_followed_by_one_of_another_language_that_is_told(string killed, string next)
        => TakeOver(killed, next);

    [Theory]
    [InlineData("c")]
    [InlineData("python")]
    [InlineData("qt6.4")]
    public void What_a_maker_left_half_made_another_language_finishes(string language)
    {
        NativeIpcKey key = NextKey();
        using SharedMemory half = SharedMemory.CreateNew(key, 4096 + 16384);
        Process receiver = In(language, "receive", key);
        Assert.Equal("ready", Line(receiver));
        using SharedRing ring = SharedRing.OpenExisting(key);
        using SharedRingWriter writer = ring.OpenWriter();
        writer.Complete();
        Assert.Equal("received 0", Line(receiver));
    }

    [Theory]
    [InlineData("c")]
    [InlineData("python")]
    public void What_another_language_made_goes_with_the_last_process_that_detaches(string language)
    {
        NativeIpcKey key = NextKey();
        Process receiver = In(language, "receive", key);
        Assert.Equal("ready", Line(receiver));
        using (SharedRing ring = SharedRing.OpenExisting(key))
        {
            using (SharedRingWriter writer = ring.OpenWriter()) writer.Complete();
            Assert.Equal("received 0", Line(receiver));
            Ended(receiver);
        }

        Assert.False(SharedRing.TryOpenExisting(key, out _));
        Assert.False(File.Exists(key.NativeKey));
    }
}

/// <summary>What is so with key files only.</summary>
[NeedsLinux("Channels are there on Linux.")]
public sealed class KeyFileTests : ChannelTests
{
    private protected override NativeIpcKeyType KeyType => NativeIpcKeyType.SystemV;

    [Fact]
    public void Channels_of_two_project_ids_under_one_key_file_have_roles_of_their_own()
    {
        NativeIpcKey key = NextKey();
        using SharedRing one = SharedRing.CreateNew(key, 4096);
        NativeIpcKey second = Names.Track(new(key.NativeKey, NativeIpcKeyType.FromProjectId(84)));
        using SharedRing other = SharedRing.CreateNew(second, 4096);
        using SharedRingWriter writer = one.OpenWriter();
        using SharedRingWriter otherWriter = other.OpenWriter();
        Assert.False(otherWriter.TookOver);
        Assert.Equal(SharedChannelPeerState.Living, one.Writer.State);
        Assert.Equal(SharedChannelPeerState.None, one.Reader.State);
    }

    [Fact]
    public void Of_many_that_take_a_role_at_once_one_has_it_and_each_comes_to_it()
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        int holders = 0, most = 0;
        Thread[] takers = [.. Enumerable.Range(0, 4).Select(_ => new Thread(() =>
        {
            using SharedRing own = SharedRing.OpenExisting(key);
            for (int times = 0; times < 500;)
            {
                if (!own.TryOpenWriter(times % 2 == 0 ? TimeSpan.Zero : Watchdog, out SharedRingWriter? writer))
                    continue;
                using (writer)
                {
                    if (Interlocked.Increment(ref holders) > 1) most = 2;
                    Assert.False(writer.TookOver);
                    Interlocked.Decrement(ref holders);
                }

                times++;
            }
        }))];
        foreach (Thread taker in takers) taker.Start();
        foreach (Thread taker in takers) Assert.True(taker.Join(Watchdog), "One of them never comes to the role.");
        Assert.Equal(0, most);
    }

    [Fact]
    public void A_folder_as_key_file_has_roles()
    {
        string folder = Names.TrackPath(Path.Combine(TestNames.Folder, TestNames.NextName()));
        Directory.CreateDirectory(folder);
        NativeIpcKey key = Names.Track(new(folder + "/", NativeIpcKeyType.SystemV));
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        using SharedRing same = SharedRing.OpenExisting(key);
        using SharedRingWriter writer = ring.OpenWriter();
        Assert.False(same.TryOpenWriter(TimeSpan.Zero, out _));
        Assert.Equal(SharedChannelPeerState.Living, same.Writer.State);
    }

    [Fact]
    public void A_channel_that_was_made_under_another_key_file_of_the_same_number_is_refused()
    {
        NativeIpcKey key = NextKey();
        using SharedRing ring = SharedRing.CreateNew(key, 4096);
        using SharedMemory memory = SharedMemory.OpenExisting(key);
        memory.GetReference<ulong>(48)++; // the inode: two files whose last 16 bits are alike cannot be had at will
        SharedChannelException refused = Assert.Throws<SharedChannelException>(() => SharedRing.OpenExisting(key));
        Assert.Equal(SharedChannelError.OtherContent, refused.Error);
        Assert.Contains("another key file", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    [NeedsRoot("Another user's processes have to be made.")]
    public void Who_may_write_the_segment_but_not_read_its_key_file_is_told_and_a_reader_of_a_topic_needs_no_right()
    {
        NativeIpcKey key = NextKey(), topicKey = NextKey();
        var options = new SharedMemoryOptions { Mode = (UnixFileMode)0b110_000_110 };
        using SharedRing ring = SharedRing.CreateNew(key, 16384, options);
        options.Mode = (UnixFileMode)0b110_000_100;
        using SharedTopic topic = SharedTopic.CreateNew(topicKey, 2048, 7, options);
        Assert.Equal((UnixFileMode)0b110_000_100, File.GetUnixFileMode(key.NativeKey));
        Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(topicKey.NativeKey));
        using (ring.OpenWriter()) Assert.Equal("False taken", Line(AsNobody("roles", key)));
        Assert.Equal("True", Line(AsNobody("roles", key)));
        File.SetUnixFileMode(key.NativeKey, (UnixFileMode)0b110_000_000);
        Assert.StartsWith("refused Unknown", Line(AsNobody("roles", key)), StringComparison.Ordinal);
        using SharedTopicWriter writer = topic.OpenWriter();
        Process follower = AsNobody("latest", topicKey);
        Assert.Equal("ready", Line(follower));
        writer.Write("seen"u8);
        Assert.Equal("seen", Line(follower));
    }

    private Process AsNobody(string verb, NativeIpcKey key)
        => Start(Peers.Require("setpriv", "util-linux"), "--reuid=65534", "--regid=65534", "--clear-groups",
            Path.Combine(Metadata("PeerFolder"), "NativeIpc.Channels.Peer"), verb, $"{key}");
}
