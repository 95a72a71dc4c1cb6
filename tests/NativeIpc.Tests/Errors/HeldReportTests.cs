using System.Diagnostics.Tracing;
using NativeIpc.Errors;
using NativeIpc.Linux;
using NativeIpc.SystemV;
using Xunit;

namespace NativeIpc.Tests.Errors;

/// <summary>A listener of the event source is code of the program: it may wait for a thread that uses the
/// library.</summary>
public sealed class HeldReportTests
{
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    private sealed class Listener(string text, Action heard) : EventListener
    {
        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "NativeIpc") EnableEvents(eventSource, EventLevel.Warning);
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            // Of other tests' events, too, and before the constructor has run.
            if (text is not null && eventData.Payload is [string message]
                && message.Contains(text, StringComparison.Ordinal))
                heard();
        }
    }

    private sealed class Deaf : IFileListener
    {
        public void FileChanged()
        {
        }
    }

    [Fact]
    [NeedsLinux("inotify is Linux's.")]
    public void A_listener_that_waits_for_a_thread_that_watches_a_file_holds_nobody_up()
    {
        string file = Path.GetTempFileName();
        bool isDone = false;
        using var listener = new Listener(file, () =>
        {
            var other = new Thread(() => FileWatch.Add(file + ".none", new Deaf(), "nothing"));
            other.Start();
            isDone = other.Join(s_watchdog);
        });
        Assert.Equal(-1, FileWatch.Add(file + "/none", new Deaf(), "nothing")); // ENOTDIR
        File.Delete(file);
        Assert.True(isDone, "The listener was not called, or waited in vain.");
    }

    // Its key file is a link in a circle, so whether it leads to the set is not known.
    [Fact]
    [NeedsUnix("System V is Unix's.")]
    public void A_listener_that_waits_for_who_removes_the_same_semaphore_holds_nobody_up()
    {
        string path = Path.Combine(Path.GetTempPath(), Guid.NewGuid().ToString());
        File.CreateSymbolicLink(path, path);
        var key = new NativeIpcKey(path, NativeIpcKeyType.SystemV);
        var removal = new SystemVSemaphoreRemoval(key, new SystemVSet(-1, default), TimeSpan.Zero);
        bool isDone = false;
        using var listener = new Listener(path, () =>
        {
            var other = new Thread(removal.Perform);
            other.Start();
            isDone = other.Join(s_watchdog);
        });
        removal.Perform();
        File.Delete(path);
        Assert.True(isDone, "Nothing was reported, or the listener waited in vain.");
    }

    [Fact]
    public void What_is_reported_inside_is_written_by_the_outermost_in_its_order()
    {
        string mark = Guid.NewGuid().ToString();
        int heard = 0;
        using var listener = new Listener(mark, () => heard++);
        using (HeldReports.Begin())
        {
            using (HeldReports.Begin()) NativeIpcEventSource.s_log.NotWatched(mark);
            Assert.Equal(0, heard);
            NativeIpcEventSource.s_log.NotRemoved(mark);
            Assert.Equal(0, heard);
        }

        Assert.Equal(2, heard);
        NativeIpcEventSource.s_log.NotWatched(mark);
        Assert.Equal(3, heard);
    }

    [Fact]
    public void A_thread_that_serves_others_has_the_pool_write_it()
    {
        string mark = Guid.NewGuid().ToString();
        int thread = 0;
        using var heard = new ManualResetEventSlim();
        using var listener = new Listener(mark, () =>
        {
            thread = Environment.CurrentManagedThreadId;
            heard.Set();
        });
        var serving = new Thread(() =>
        {
            using (HeldReports.Begin())
            {
                NativeIpcEventSource.s_log.NotWatched(mark);
                HeldReports.PassOn();
                Assert.True(heard.Wait(s_watchdog));
            }
        });
        serving.Start();
        Assert.True(heard.Wait(s_watchdog, TestContext.Current.CancellationToken));
        serving.Join();
        Assert.NotEqual(serving.ManagedThreadId, thread);
    }
}
