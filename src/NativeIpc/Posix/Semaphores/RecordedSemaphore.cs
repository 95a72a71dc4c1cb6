using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Permits;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting;

namespace NativeIpc.Posix.Semaphores;

/// <summary>A POSIX semaphore whose permits are recorded as long as they are held, and which gives back those that
/// killed holders had recorded: <see cref="PermitRecords"/> says how.</summary>
internal sealed class RecordedSemaphore : PosixSemaphore
{
    // A look reads some memory, and asks the kernel once for each other holder.
    private const int MillisecondsBetweenLooks = 500;

    private readonly PermitRecords _records;
    private readonly int _maximum;
    private long _nextLook;

    /// <summary>Takes over the page and the descriptor.</summary>
    internal RecordedSemaphore(in NativeIpcKey key, nint page, UnixDescriptor file, FileIdentity identity,
        bool createdNew, bool isInherited, int maximum)
        : base(key, new PosixSemaphoreHandle(page, isMapping: true), identity, createdNew)
    {
        _maximum = maximum;
        _records = new PermitRecords(key, page, file);
        try
        {
            if (!_records.Claim(isInherited ? OpenForHeirs(key, identity) : null))
            {
                NativeIpcEventSource.s_log.NotRecoverable(
                    $"the semaphore {Failure.Describe(key)} has {PermitRecords.Count} handles that record their "
                        + $"permits already: should this process die while it holds permits of it, nobody can tell");
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public override bool NeedsLooks => true;

    public override bool TryAcquire() => TryAcquire(looks: true);

    public override bool TryAcquireQuickly() => TryAcquire(looks: false);

    /// <inheritdoc/>
    public override bool TryAcquireAtOnce(out bool isHeldUp)
    {
        _ = Enter();
        try
        {
            if (_records.TryTakeAtOnce(out isHeldUp)) return true;
            return !isHeldUp && Mends(mayPause: false, out isHeldUp) && _records.TryTakeAtOnce(out isHeldUp);
        }
        finally
        {
            Leave();
        }
    }

    /// <inheritdoc/>
    public override void AwaitMoment()
    {
        if (!TryEnter()) return;
        _records.AwaitMoment();
        Leave();
    }

    private bool TryAcquire(bool looks)
    {
        nint page = Enter();
        try
        {
            return TryTake(page) || (looks && Mends() && TryTake(page));
        }
        finally
        {
            Leave();
        }
    }

    private protected override bool TryTake(nint page) => _records.TryTake();

    private protected override UnixDescriptor? File => _records?.File; // null when the base's constructor threw

    private protected override bool IsHeldUp => _records.IsHeldUp;

    // Each step needs more than the word.
    private protected override void OpenDirectWay()
    {
    }

    /// <inheritdoc/>
    /// <remarks>The death of a holder wakes nobody: the sleeper looks again after a while.</remarks>
    public override bool Block(TimeSpan longest, Wakeup wakeup)
    {
        nint page = Enter();
        try
        {
            if (TryTake(page) || (Mends() && TryTake(page))) return true;
            TimeSpan slice = TimeSpan.FromMilliseconds(MillisecondsBetweenLooks);
            return Sleep(page, longest < slice ? longest : slice, wakeup, Acquiring);
        }
        finally
        {
            Leave();
        }
    }

    public override bool Block(TimeSpan slice) => Block(slice, Wakeup.Begin());

    private bool Mends() => Mends(mayPause: true, out _);

    private bool Mends(bool mayPause, out bool isHeldUp)
    {
        isHeldUp = false;
        long now = Environment.TickCount64;
        if (now < Volatile.Read(ref _nextLook)) return false;
        if (mayPause) Volatile.Write(ref _nextLook, now + MillisecondsBetweenLooks);
        int given = _records.Mend(mayPause, out isHeldUp);
        if (!isHeldUp) Volatile.Write(ref _nextLook, now + MillisecondsBetweenLooks);
        IpcActivity.TellReturned(Key, given);
        return given > 0;
    }

    public override void Release(int count)
    {
        _ = Enter();
        try
        {
            Give(count);
        }
        finally
        {
            Leave();
        }
    }

    /// <inheritdoc/>
    public override void ReturnPermit() => Give(1);

    private void Give(int count)
    {
        if (!_records.TryGive(count, Maximum)) throw Full(Errno.EOVERFLOW, 0, count);
    }

    private protected override int Maximum => _maximum;

    protected override void Close()
    {
        _records?.Dispose(); // null when the base's constructor threw
        base.Close();
    }

    /// <summary>Opens the file once more, for reading and without close-on-exec.</summary>
    private static UnixDescriptor OpenForHeirs(in NativeIpcKey key, FileIdentity identity)
    {
        const string attempt = "record the permits of the semaphore";
        var heirs = new UnixDescriptor(
            PosixSemaphores.OpenFile(key, Flags.O_RDONLY, TimeSpan.FromSeconds(1), out int number));
        if (number == 0 && Libc.Status(heirs, out FileStatus status) == 0 && status.Identity == identity) return heirs;
        heirs.Dispose();
        throw number is 0 or Errno.ENOENT
            ? Failure.Found(NativeIpcError.LockError, attempt, key, "open",
                "another process removed or replaced it at this moment", "Try again.")
            : PosixErrors.Open(attempt, key, "open", number);
    }
}
