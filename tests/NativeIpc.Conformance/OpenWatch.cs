using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Waits, by inotify(7), until a file has been opened a number of times: that is how a process which waits for
/// a change of it is seen to wait. Linux only.</summary>
internal sealed class OpenWatch : IDisposable
{
    private const uint IN_OPEN = 0x20;

    private readonly UnixDescriptor _inotify;
    private int _seen;

    internal OpenWatch(string path)
    {
        _inotify = new UnixDescriptor(Libc.inotify_init1(Flags.IN_CLOEXEC));
        Assert.NotEqual(-1, Libc.inotify_add_watch(_inotify, path, IN_OPEN));
    }

    internal unsafe void WaitFor(int times, TimeSpan watchdog)
    {
        Task waiting = Task.Run(() =>
        {
            byte* buffer = stackalloc byte[4096];
            while (_seen < times)
            {
                nint read = Libc.read(_inotify, buffer, 4096);
                Assert.True(read > 0);

                // Equal events that follow one another come as one, so this counts too few rather than too many.
                for (nint at = 0; at < read; at += 16 + (nint)(*(uint*)(buffer + at + 12))) _seen++;
            }
        });
        Assert.True(waiting.Wait(watchdog), $"Only {_seen} of {times} came to look.");
    }

    public void Dispose() => _inotify.Dispose();
}
