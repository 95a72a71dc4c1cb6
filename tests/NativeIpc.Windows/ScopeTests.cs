using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>Keys with a scope: the prefix that Windows has for it, and the user's security identifier.</summary>
public class ScopeTests : WindowsTest
{
    [Fact]
    public void Each_kind_of_object_has_a_key_in_each_scope()
    {
        string name = NewName();
        Assert.Equal($@"Global\shm_{name}", SharedMemory.PlatformSafeKey(name, NameScope.Machine).NativeKey);
        Assert.Equal($@"Local\sem_{name}", SystemSemaphore.PlatformSafeKey(name, NameScope.Session).NativeKey);
        Assert.Matches($@"^Global\\event_~S-1-[0-9-]+\.{name}$",
            SystemEvent.PlatformSafeKey(name, NameScope.User).NativeKey);
    }

    [Fact]
    public void A_users_objects_are_used_by_that_user()
    {
        string name = NewName();
        NativeIpcKey segment = SharedMemory.PlatformSafeKey(name, NameScope.User);
        NativeIpcKey semaphore = SystemSemaphore.PlatformSafeKey(name, NameScope.User);
        NativeIpcKey signal = SystemEvent.PlatformSafeKey(name, NameScope.User);
        using SharedMemory made = SharedMemory.CreateNew(segment, 1);
        using SharedMemory opened = SharedMemory.OpenExisting(segment);
        opened.Span[0] = 3;
        Assert.Equal(3, made.Span[0]);
        using SystemSemaphore first = SystemSemaphore.CreateNew(semaphore, 1);
        using SystemSemaphore second = SystemSemaphore.CreateOrOpen(semaphore, 0);
        Assert.True(second.TryAcquire());
        Assert.False(first.TryAcquire());
        using SystemEvent set = SystemEvent.CreateNew(signal, EventResetMode.AutoReset, initiallySet: true);
        using SystemEvent waiter = SystemEvent.OpenExisting(signal);
        Assert.True(waiter.Wait(TimeSpan.Zero));
    }

    [Fact]
    public void A_key_of_another_users_scope_is_refused()
    {
        string text = SystemSemaphore.PlatformSafeKey(NewName(), NameScope.User).NativeKey;
        int sid = text.IndexOf('~');
        var key = new NativeIpcKey(text[..(sid + 1)] + "S-1-5-21-1-2-3-4" + text[text.IndexOf('.', sid)..],
            NativeIpcKeyType.Windows);
        foreach (Action use in new Action[]
        {
            () => SharedMemory.CreateOrOpen(key, 1), () => SystemSemaphore.OpenExisting(key),
            () => SystemEvent.CreateNew(key, EventResetMode.ManualReset),
        })
        {
            NativeIpcException failure = Assert.Throws<NativeIpcException>(use);
            Assert.Equal(NativeIpcError.PermissionDenied, failure.Error);
            Assert.Contains("scope of user S-1-5-21-1-2-3-4", failure.Message, StringComparison.Ordinal);
        }
    }
}
