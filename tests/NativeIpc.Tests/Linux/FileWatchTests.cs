using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using Xunit;

namespace NativeIpc.Tests.Linux;

/// <summary>A path may be on a network that does not answer: who waits there for the kernel holds nobody up, least of
/// all the thread that serves the process. Shown by a stop in the call.</summary>
[NeedsLinux("inotify is Linux's.")]
public sealed class FileWatchTests : IDisposable
{
    private const string Missed = "nothing";
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("nativeipc-watch").FullName;
    private readonly ManualResetEventSlim _isInCall = new();
    private readonly ManualResetEventSlim _mayGoOn = new();
    private int _calls;

    private sealed class Listener : IFileListener
    {
        public ManualResetEventSlim HasHeard { get; } = new();

        public void FileChanged() => HasHeard.Set();
    }

    public void Dispose()
    {
        _mayGoOn.Set();
        FileWatch.LookUp = null;
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void A_path_that_the_kernel_looks_for_holds_no_other_watch_up()
    {
        string dead = MakeFile("dead"), other = MakeFile("other"), third = MakeFile("third");
        var listener = new Listener();
        int watch = FileWatch.Add(other, listener, Missed);
        StopAt(dead, stopsAfter: false);
        var late = new Listener();
        int lateWatch = -1;
        Thread waiting = Start(() => lateWatch = FileWatch.Add(dead, late, Missed));
        Assert.True(_isInCall.Wait(s_watchdog, TestContext.Current.CancellationToken));

        File.SetUnixFileMode(other, UnixFileMode.UserRead); // the thread of the process tells
        Assert.True(listener.HasHeard.Wait(s_watchdog, TestContext.Current.CancellationToken));
        Thread beside = Start(() =>
        {
            var added = new Listener();
            FileWatch.Remove(FileWatch.Add(third, added, Missed), added);
            FileWatch.Remove(watch, listener);
        });
        Assert.True(beside.Join(s_watchdog));

        Assert.Equal(-1, lateWatch);
        _mayGoOn.Set();
        Assert.True(waiting.Join(s_watchdog));
        File.SetUnixFileMode(dead, UnixFileMode.UserRead);
        Assert.True(late.HasHeard.Wait(s_watchdog, TestContext.Current.CancellationToken));
        FileWatch.Remove(lateWatch, late);
    }

    // The kernel has one watch for both, and it ends with the first one.
    [Fact]
    public void Who_begins_to_listen_while_the_last_other_one_ends_hears()
    {
        string file = MakeFile("file");
        var first = new Listener();
        int watch = FileWatch.Add(file, first, Missed);
        StopAt(file, stopsAfter: true);
        var second = new Listener();
        int secondWatch = -1;
        Thread beginning = Start(() => secondWatch = FileWatch.Add(file, second, Missed));
        Assert.True(_isInCall.Wait(s_watchdog, TestContext.Current.CancellationToken));

        FileWatch.Remove(watch, first);
        _mayGoOn.Set();
        Assert.True(beginning.Join(s_watchdog));

        Assert.NotEqual(watch, secondWatch);
        Assert.Equal(2, _calls);
        File.SetUnixFileMode(file, UnixFileMode.UserRead);
        Assert.True(second.HasHeard.Wait(s_watchdog, TestContext.Current.CancellationToken));
        FileWatch.Remove(secondWatch, second);
    }

    private string MakeFile(string name)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, "");
        return path;
    }

    /// <summary>Stops the first call for a path, before or after the kernel has answered.</summary>
    private void StopAt(string stopped, bool stopsAfter)
        => FileWatch.LookUp = (inotify, path, mask) =>
        {
            if (path != stopped) return Libc.inotify_add_watch(inotify, path, mask);
            bool isFirst = Interlocked.Increment(ref _calls) == 1;
            if (isFirst && !stopsAfter) Stop();
            int watch = Libc.inotify_add_watch(inotify, path, mask);
            if (isFirst && stopsAfter) Stop();
            return watch;
        };

    private void Stop()
    {
        _isInCall.Set();
        Assert.True(_mayGoOn.Wait(s_watchdog));
    }

    private static Thread Start(Action action)
    {
        var thread = new Thread(() => action()) { IsBackground = true };
        thread.Start();
        return thread;
    }
}
