using System.Diagnostics;
using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Posix.Users;
using NativeIpc.Waiting.Bounds;
using Xunit;

namespace NativeIpc.Tests.Posix;

/// <summary>A process that had an object's file lock still counts among its users for a moment after it has closed the
/// file. So a user is believed only when it was seen several times after such a lock was met. The test does what that
/// process does between the looks.</summary>
[NeedsLinux("Only Linux says who uses a file.")]
public sealed class PosixUsersTests : IDisposable
{
    private static readonly TimeSpan s_bound = Patience.Seconds(60);

    private readonly string _path = $"/dev/shm/nativeipc-users-{Guid.NewGuid():N}";
    private readonly List<UseResult> _looks = [];
    private readonly UnixDescriptor _user;
    private FileLock _lock;

    public PosixUsersTests()
    {
        File.WriteAllText(_path, "");
        _user = Open();
    }

    public void Dispose()
    {
        PosixUsers.Looked = null;
        Crowd.t_instead = null;
        _user.Dispose();
        File.Delete(_path);
    }

    [Fact]
    public void A_user_without_the_lock_is_believed_at_once()
    {
        UseResult result = Ask(_ => { });
        Assert.Equal(UseAnswer.InUse, result.Answer);
        Assert.Single(_looks);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(PosixUsers.LooksAfterLock)]
    public void Who_had_the_lock_is_no_user_when_it_goes_within_some_looks(int looks)
    {
        Lock();
        UseResult result = Ask(uses =>
        {
            if (uses == 0) _lock.Dispose();
            else if (uses == looks) _user.Dispose();
        });
        Assert.Equal(UseAnswer.Gone, result.Answer);
        Assert.Equal(looks, _looks.Count(look => look.Answer == UseAnswer.InUse));
        Assert.False(File.Exists(_path));
    }

    [Fact]
    public void Who_had_the_lock_and_stays_is_a_user()
    {
        Lock();
        UseResult result = Ask(uses =>
        {
            if (uses == 0) _lock.Dispose();
        });
        Assert.Equal(UseAnswer.InUse, result.Answer);
        Assert.Equal(PosixUsers.LooksAfterLock + 1, _looks.Count(look => look.Answer == UseAnswer.InUse));
        Assert.True(File.Exists(_path));
    }

    // Longer than others are waited for, and for more looks.
    [Fact]
    public void Who_had_the_lock_for_long_is_no_user_when_it_goes_after_a_look()
    {
        Lock();
        long began = Stopwatch.GetTimestamp();
        UseResult result = Ask(uses =>
        {
            if (uses > 0) _user.Dispose();
            else if (_looks.Count > 20 && Stopwatch.GetElapsedTime(began) > TimeSpan.FromMilliseconds(300))
                _lock.Dispose();
        });
        Assert.Equal(UseAnswer.Gone, result.Answer);
    }

    // Each lock that is met begins the looks anew.
    [Fact]
    public void Who_takes_the_lock_again_is_looked_at_as_often_again()
    {
        Lock();
        bool isSecond = false;
        UseResult result = Ask(uses =>
        {
            if (_looks[^1].Call == "flock") _lock.Dispose();
            else if (uses == PosixUsers.LooksAfterLock && !isSecond)
            {
                isSecond = true;
                Lock();
            }
            else if (uses == 2 * PosixUsers.LooksAfterLock) _user.Dispose();
        });
        Assert.Equal(UseAnswer.Gone, result.Answer);
    }

    // The bound has passed, and the machine has more to do than it can: then who asks or looks is done soon.
    [Fact]
    public void Who_says_that_it_looks_is_waited_for_longer_where_the_machine_is_crowded()
    {
        using AskMark mark = Assert.IsType<AskMark>(AskMark.TryBegin(_path));
        UseResult result = AskInCrowd(() =>
        {
            _user.Dispose();
            mark.End();
        });
        Assert.Equal(UseAnswer.Gone, result.Answer);
    }

    [Fact]
    public void Who_asks_is_waited_for_longer_where_the_machine_is_crowded()
    {
        using AskMark mark = Assert.IsType<AskMark>(AskMark.TryBegin(_path));
        Lock();
        mark.Ask();
        UseResult result = AskInCrowd(() =>
        {
            _lock.Dispose();
            _user.Dispose();
            mark.End();
        });
        Assert.Equal(UseAnswer.Gone, result.Answer);
    }

    [Fact]
    public void Who_has_the_lock_and_does_not_ask_is_not()
    {
        Lock();
        UseResult result = AskInCrowd(() => Assert.Fail("Nobody asks."));
        Assert.Equal((UseAnswer.CannotTell, "flock"), (result.Answer, result.Call));
        _lock.Dispose();
    }

    [Fact]
    public void Who_asks_on_and_on_is_not_waited_for_where_each_thread_has_a_processor()
    {
        using AskMark mark = Assert.IsType<AskMark>(AskMark.TryBegin(_path));
        Crowd.t_instead = () => 1;
        UseResult result = PosixUsers.RemoveIfUnused(Question(), TimeSpan.FromMilliseconds(1));
        Assert.Equal((UseAnswer.CannotTell, AskMark.Call), (result.Answer, result.Call));
    }

    /// <param name="late">Done when the bound has passed.</param>
    private UseResult AskInCrowd(Action late)
    {
        Action? once = late;
        Crowd.t_instead = () =>
        {
            Interlocked.Exchange(ref once, null)?.Invoke();
            return s_bound / TimeSpan.FromMilliseconds(1);
        };
        return PosixUsers.RemoveIfUnused(Question(), TimeSpan.FromMilliseconds(1));
    }

    /// <param name="looked">After each look, with how often a user was seen since the beginning.</param>
    private UseResult Ask(Action<int> looked)
    {
        PosixUsers.Looked = (path, result) =>
        {
            if (path != _path) return; // of another test
            _looks.Add(result);
            looked(_looks.Count(look => look.Answer == UseAnswer.InUse));
        };
        return PosixUsers.RemoveIfUnused(Question(), s_bound);
    }

    private UseQuestion Question() => new(_path, IpcObjectKind.SharedMemory, null, null, () =>
    {
        File.Delete(_path);
        return true;
    });

    private void Lock()
        => Assert.Equal(0, FileLock.Take((int)_user.DangerousGetHandle(), TimeSpan.Zero, out _lock));

    private UnixDescriptor Open()
    {
        var file = new UnixDescriptor(Libc.open(_path, Flags.O_RDWR | Flags.O_CLOEXEC, 0));
        Assert.False(file.IsInvalid);
        return file;
    }
}
