using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Tool.Running;

/// <summary>The FIFO of a jobserver as GNU make 4.4 and later knows it (Linux): a byte in it is a permit of the
/// machine's semaphore. One byte is kept ready. When it is taken, the next permit is waited for; what is given back
/// beyond it goes back to the semaphore, and so to other builds.</summary>
/// <remarks>Nobody says that he waits for a byte, so a build that wants no more holds one permit that it does not use.
/// And a byte does not say who took it: one that a killed client had is missing until the build ends. Then nobody of
/// the build is left to give it back, and all its permits are given back.</remarks>
internal sealed class TokenFifo : IDisposable
{
    private const int Ready = 1;
    private const byte Token = (byte)'+';

    private readonly SystemSemaphore _cores;
    private readonly int _most;
    private readonly TokenFolder _folder = new();
    private readonly SafeFileHandle _fifo;
    private readonly SafeFileHandle _watch;
    private readonly int _watched;
    private readonly Thread[] _threads;
    private readonly AutoResetEvent _changed = new(false);
    private readonly Lock _gate = new();
    private CancellationTokenSource _waiting = new();
    private volatile bool _isOver;
    private int _out;

    /// <param name="cores">Where the permits come from. Only this instance uses it until it is disposed.</param>
    /// <param name="most">How many bytes there may be at most, those that were taken included.</param>
    public TokenFifo(SystemSemaphore cores, int most)
    {
        (_cores, _most) = (cores, most);
        try
        {
            Libc.MakeFifo(Name);
            _fifo = Libc.Open(Name, Libc.O_RDWR | Libc.O_NONBLOCK | Libc.O_CLOEXEC);
            _watch = Libc.Watch(Name, out _watched);
        }
        catch
        {
            _fifo?.Dispose();
            _folder.Dispose();
            throw;
        }

        _threads = [new Thread(Feed), new Thread(Watch)];
        foreach (Thread thread in _threads)
        {
            thread.IsBackground = true;
            thread.Start();
        }
    }

    /// <summary>The path of the FIFO.</summary>
    public string Name => _folder.Fifo;

    /// <summary>Ends it. What the build had, and has not given back, is the semaphore's again.</summary>
    public void Dispose()
    {
        _isOver = true;
        lock (_gate) _waiting.Cancel();
        _changed.Set();
        Libc.EndWatch(_watch, _watched);
        foreach (Thread thread in _threads) thread.Join();
        _folder.Dispose();
        _watch.Dispose();
        _fifo.Dispose();
        _changed.Dispose();
        _waiting.Dispose();
        GiveBack();
    }

    private void GiveBack()
    {
        try
        {
            if (_out > 0) _cores.Release(_out);
        }
        catch (NativeIpcException failure)
        {
            Failures.TryReport(failure, out _); // does not take the place of the command's exit code
        }
    }

    private void Feed()
    {
        try
        {
            while (!_isOver)
            {
                // R1 Race: a byte comes back between the look and the wait for a permit. Safe because: what cancels the
                // wait is there before the look, and whoever sees the byte cancels it.
                lock (_gate)
                {
                    _waiting.Dispose();
                    _waiting = new CancellationTokenSource();
                    if (_isOver) return;
                }

                int ready = Libc.WaitingBytes(_fifo);
                if (ready > Ready) TakeBack(ready - Ready);
                else if (ready < Ready && _out < _most && TryTake()) Libc.WriteByte(_fifo, Token);
                else _changed.WaitOne();
            }
        }
        catch (Exception failure) when (failure is NativeIpcException or IOException)
        {
            Failures.TryReport(failure, out _); // the build goes on with what it has
        }
    }

    private bool TryTake()
    {
        try
        {
            if (!_cores.TryAcquire(Timeout.InfiniteTimeSpan, _waiting.Token)) return false;
            _out++;
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void TakeBack(int count)
    {
        // R2 Race: a client takes one of them first. Safe because: a byte is read once, and what was read counts.
        int back = Libc.ReadWaiting(_fifo, new byte[count]);
        int ours = Math.Min(back, _out); // a client that gives what it never took makes no permits
        if (ours == 0) return;
        _out -= ours;
        _cores.Release(ours);
    }

    /// <summary>Tells of each read and write of the FIFO.</summary>
    private void Watch()
    {
        try
        {
            byte[] events = new byte[4096];
            while (!_isOver)
            {
                Libc.ReadWaiting(_watch, events);
                _changed.Set();
                if (Libc.WaitingBytes(_fifo) < Ready) continue;
                lock (_gate) _waiting.Cancel();
            }
        }
        catch (IOException failure)
        {
            Failures.TryReport(failure, out _);
        }
    }
}
