using Xunit;

namespace NativeIpc.WindowsTests;

public class NameTests : WindowsTest
{
    [Fact]
    public void Only_keys_of_Windows_are_supported()
    {
        Assert.True(SharedMemory.IsKeyTypeSupported(NativeIpcKeyType.Windows));
        Assert.True(SystemSemaphore.IsKeyTypeSupported(NativeIpcKeyType.Windows));
        Assert.Equal(NativeIpcKeyType.Windows, NativeIpcKey.DefaultType);
        foreach (NativeIpcKeyType type in new[] { NativeIpcKeyType.PosixRealtime, NativeIpcKeyType.SystemV,
            (NativeIpcKeyType)1, NativeIpcKeyType.Invalid })
        {
            Assert.False(SharedMemory.IsKeyTypeSupported(type));
            Assert.False(SystemSemaphore.IsKeyTypeSupported(type));
            Fails(NativeIpcError.KeyError, 0, () => SharedMemory.CreateNew(new NativeIpcKey("/x", type), 1));
            Fails(NativeIpcError.KeyError, 0, () => SystemSemaphore.CreateNew(new NativeIpcKey("/x", type), 1));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(@"Local\")]
    [InlineData(@"Global\")]
    [InlineData(@"\x")]
    [InlineData(@"a\b")]
    [InlineData(@"Local\a\b")]
    [InlineData(@"local\a")]
    [InlineData("a\0b")]
    public void A_name_that_cannot_work_is_refused_before_any_call(string name)
    {
        Fails(NativeIpcError.KeyError, 0, () => SharedMemory.CreateNew(Key(name), 1));
        Fails(NativeIpcError.KeyError, 0, () => SharedMemory.OpenExisting(Key(name)));
        Fails(NativeIpcError.KeyError, 0, () => SystemSemaphore.CreateOrReset(Key(name), 1));
        Fails(NativeIpcError.KeyError, 0, () => SystemSemaphore.OpenExisting(Key(name)));
    }

    // Not as data: xunit writes it as UTF-8, in which there is none.
    [Fact]
    public void A_lone_surrogate_is_refused_before_any_call()
        => Fails(NativeIpcError.KeyError, 0, () => SharedMemory.CreateNew(Key("a\ud800"), 1));

    [Fact]
    [Scenario("1 →")]
    public void A_name_may_have_259_units_and_no_more()
    {
        string longest = NewName().PadRight(259, 'x');
        using SharedMemory segment = SharedMemory.CreateNew(Key(longest), 1);
        using Peer peer = Peer.Start();

        Assert.Equal("ok 4096", peer.Ask("open-segment", "W", longest, "read"));
        Fails(NativeIpcError.KeyError, 0, () => SharedMemory.CreateNew(Key(longest + "x"), 1));
    }

    [Fact]
    public void Local_is_the_name_without_a_prefix()
    {
        string name = NewName();
        using SharedMemory segment = SharedMemory.CreateNew(Key(name), 1);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(Key(@"Local\s" + name), 0);

        SharedMemory.OpenExisting(Key(@"Local\" + name)).Dispose();
        SystemSemaphore.OpenExisting(Key("s" + name)).Dispose();
        Fails(NativeIpcError.AlreadyExists, 183, () => SharedMemory.CreateNew(Key(@"Local\" + name), 1));
    }

    [Fact]
    public void Global_is_another_name_space()
    {
        string name = NewName();
        using SharedMemory local = SharedMemory.CreateNew(Key(name), 1);
        SharedMemory global;
        try
        {
            global = SharedMemory.CreateNew(Key(@"Global\" + name), 1);
        }
        catch (NativeIpcException failure) when (failure.Error == NativeIpcError.PermissionDenied)
        {
            Assert.Contains("SeCreateGlobalPrivilege", failure.Message, StringComparison.Ordinal);
            Assert.Contains(@"Local\", failure.Message, StringComparison.Ordinal);
            Assert.Skip("This user may not make global segments; the message says so.");
            return;
        }

        using (global)
        using (SharedMemory again = SharedMemory.OpenExisting(Key(@"Global\" + name)))
        {
            global.Span[0] = 5;
            Assert.Equal((5, 0), (again.Span[0], local.Span[0]));
        }
    }

    [Fact]
    public void Names_are_case_sensitive()
    {
        string name = NewName("Case");
        using SharedMemory segment = SharedMemory.CreateNew(Key(name), 1);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(Key("s" + name), 1);

        Assert.False(SharedMemory.TryOpenExisting(Key(name.ToUpperInvariant()), out _));
        Assert.False(SystemSemaphore.TryOpenExisting(Key("s" + name.ToLowerInvariant()), out _));
    }

    [Fact]
    public void Safe_keys_of_one_name_do_not_collide()
    {
        string name = NewName();
        using SharedMemory segment = SharedMemory.CreateNew(SharedMemory.PlatformSafeKey(name), 1);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(SystemSemaphore.PlatformSafeKey(name), 1);

        Assert.Equal(("shm_" + name, "sem_" + name), (segment.Key.NativeKey, semaphore.Key.NativeKey));
        using SharedMemory local = SharedMemory.OpenExisting(SharedMemory.PlatformSafeKey(@"Local\" + name));
        Assert.Equal(@"Local\shm_" + name, local.Key.NativeKey);
    }

    [Fact]
    public void Another_kind_of_object_under_the_name_is_a_key_error()
    {
        string semaphoreName = NewName();
        string segmentName = NewName();
        string mutexName = NewName();
        string eventName = NewName();
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(Key(semaphoreName), 1);
        using SharedMemory segment = SharedMemory.CreateNew(Key(segmentName), 1);
        using Peer peer = Peer.Start();
        Assert.Equal("ok", peer.Ask("create-mutex", "W", mutexName));
        Assert.Equal("ok", peer.Ask("create-event", "A", eventName));

        foreach (NativeIpcKey key in new[] { Key(semaphoreName), Key(mutexName), Key(eventName) })
        {
            Fails(NativeIpcError.KeyError, 6, () => SharedMemory.CreateNew(key, 1));
            Fails(NativeIpcError.KeyError, 6, () => SharedMemory.CreateOrOpen(key, 1));
            Fails(NativeIpcError.KeyError, 6, () => SharedMemory.OpenExisting(key));
            Fails(NativeIpcError.KeyError, 6, () => SharedMemory.TryOpenExisting(key, out _));
        }

        foreach (NativeIpcKey key in new[] { Key(segmentName), Key(mutexName), Key(eventName) })
        {
            Fails(NativeIpcError.KeyError, 6, () => SystemSemaphore.CreateNew(key, 1));
            Fails(NativeIpcError.KeyError, 6, () => SystemSemaphore.CreateOrOpen(key, 1));
            Fails(NativeIpcError.KeyError, 6, () => SystemSemaphore.CreateOrReset(key, 1));
            Fails(NativeIpcError.KeyError, 6, () => SystemSemaphore.OpenExisting(key));
            Fails(NativeIpcError.KeyError, 6, () => SystemSemaphore.TryOpenExisting(key, out _));
        }
    }
}
