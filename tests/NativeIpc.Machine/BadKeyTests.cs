using NativeIpc.Interop.Unix;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>Keys that cannot name an object are refused by every call, before it touches the system.</summary>
[NeedsLinux("The rules and limits asserted here are those of Linux.")]
public class BadKeyTests
{
    private const string KeyCheck = "key check";

    private static void AssertRefused(NativeIpcKey key)
    {
        Outcome[] all = [.. Calls.WithSegment(key), .. Calls.WithSemaphore(key), .. Calls.WithEvent(key)];
        foreach (Outcome outcome in all)
            outcome.AssertSays(NativeIpcError.KeyError, key, KeyCheck, 0);
    }

    [Fact]
    public void A_key_without_a_type_is_refused() => AssertRefused(default);

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void An_empty_key_is_refused(Backend backend)
        => AssertRefused(new NativeIpcKey("", TestRun.TypeOf(backend)));

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_key_with_NUL_is_refused(Backend backend)
        => AssertRefused(new NativeIpcKey(TestRun.NewKey(backend).NativeKey + "\0more", TestRun.TypeOf(backend)));

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_key_with_a_lone_surrogate_is_refused(Backend backend)
        => AssertRefused(new NativeIpcKey(TestRun.NewKey(backend).NativeKey + "\ud800", TestRun.TypeOf(backend)));

    [Theory]
    [InlineData("/")]
    [InlineData("//")]
    [InlineData("/.")]
    [InlineData("/..")]
    [InlineData("/a/b")]
    [InlineData("a/b")]
    [InlineData("/a/")]
    public void A_POSIX_key_that_is_no_file_name_is_refused(string nativeKey)
        => AssertRefused(new NativeIpcKey(nativeKey, NativeIpcKeyType.PosixRealtime));

    [Fact]
    public void A_POSIX_key_over_255_bytes_is_refused()
    {
        AssertRefused(new NativeIpcKey("/" + new string('x', 256), NativeIpcKeyType.PosixRealtime));
        AssertRefused(new NativeIpcKey("/" + new string('ä', 128), NativeIpcKeyType.PosixRealtime));
    }

    [Fact]
    public void A_POSIX_key_over_251_bytes_works_for_a_segment_but_not_for_a_semaphore_or_a_lock()
    {
        Assert.SkipUnless(Libraries.IsGlibc, "The file of a semaphore has a longer name with glibc only.");
        var key = new NativeIpcKey($"/{TestRun.NewName()}-".PadRight(253, 'x'), NativeIpcKeyType.PosixRealtime);

        foreach (Outcome outcome in Calls.WithSemaphore(key))
            outcome.AssertSays(NativeIpcError.KeyError, key, KeyCheck, 0);
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        Outcome.From("Lock", () => $"{segment.Lock()}").AssertSays(NativeIpcError.LockError, key, "sem_open", 0);
    }

    [Fact]
    public void A_System_V_path_that_is_too_long_is_refused()
    {
        AssertRefused(new NativeIpcKey("/tmp/" + new string('x', 256), TestRun.SystemV));
        AssertRefused(new NativeIpcKey("/" + string.Join('/', Enumerable.Repeat(new string('x', 200), 21)),
            TestRun.SystemV));
    }

    [Theory]
    [InlineData((int)NativeIpcKeyType.Windows)]
    [InlineData(0x102)]
    [InlineData(0x7FFF)]
    public void A_type_that_is_not_of_this_system_is_refused(int type)
    {
        AssertRefused(new NativeIpcKey("name", (NativeIpcKeyType)type));
        Assert.False(SharedMemory.IsKeyTypeSupported((NativeIpcKeyType)type));
        Assert.False(SystemSemaphore.IsKeyTypeSupported((NativeIpcKeyType)type));
    }

    [Fact]
    public void System_V_refused_by_the_kernel_is_a_type_that_is_not_supported()
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        VictimResult result = Victims.Run(Situation.Plain,
            "refuse-systemv", $"supports {(int)TestRun.SystemV}", $"supports {(int)NativeIpcKeyType.PosixRealtime}",
            $"segment-create {key} 4096", $"semaphore-create {key} 1");

        Assert.Equal("segments False, semaphores False", result[1].Did);
        Assert.Equal("segments True, semaphores True", result[2].Did);
        result[3].AssertSays(NativeIpcError.KeyError, key, KeyCheck, 0);
        result[4].AssertSays(NativeIpcError.KeyError, key, KeyCheck, 0);
    }
}
