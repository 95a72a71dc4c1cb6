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
        Origin origin, PermitRecording recording, int maximum)
        : base(key, PosixSemaphoreHandle.Mapped(page), identity, origin)
    {
        _maximum = maximum;
        _records = new PermitRecords(key, page, file);
        try
        {
            bool hasHeirs = recording == PermitRecording.ProcessAndChildren;
            if (!_records.Claim(hasHeirs ? OpenForHeirs(key, identity) : null))
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

    public override bool TryAcquire()
    {
        using Use use = BeginUse();
        nint page = use.Page;
        return TryTake(page) || (Mends() && TryTake(page));
    }

    public override bool TryAcquireFast()
    {
        using Use use = BeginUse();
        return TryTake(use.Page);
    }

    /// <inheritdoc/>
    public override bool TryAcquire(out bool isHeldUp)
    {
        using Use use = BeginUse();
        if (_records.TryTake(Moment.None, out isHeldUp)) return true;
        return !isHeldUp && Mends(Moment.None, out isHeldUp) && _records.TryTake(Moment.None, out isHeldUp);
    }

    /// <inheritdoc/>
    public override void AwaitMoment()
    {
        if (!TryBeginUse()) return;
        _records.AwaitMoment();
        EndUse();
    }

    private protected override bool TryTake(nint page) => _records.TryTake();

    private protected override UnixDescriptor? File => _records?.File; // null if the base's constructor threw

    private protected override bool IsHeldUp => _records.IsHeldUp;

    // Each step needs more than the word.
    private protected override void OpenFastPath()
    {
    }

    /// <inheritdoc/>
    /// <remarks>The death of a holder wakes nobody: the sleeper looks again after a while.</remarks>
    public override bool Block(TimeSpan longest, Wakeup wakeup)
    {
        using Use use = BeginUse();
        nint page = use.Page;
        if (TryTake(page) || (Mends() && TryTake(page))) return true;
        TimeSpan slice = TimeSpan.FromMilliseconds(MillisecondsBetweenLooks);
        return Sleep(page, longest < slice ? longest : slice, wakeup, Acquiring);
    }

    public override bool Block(TimeSpan slice) => Block(slice, Wakeup.Begin());

    private bool Mends() => Mends(Moment.Allowed, out _);

    private bool Mends(Moment moment, out bool isHeldUp)
    {
        isHeldUp = false;
        long now = Environment.TickCount64;
        if (now < Volatile.Read(ref _nextLook)) return false;
        if (moment == Moment.Allowed) Volatile.Write(ref _nextLook, now + MillisecondsBetweenLooks);
        int given = _records.Mend(moment, out isHeldUp);
        if (!isHeldUp) Volatile.Write(ref _nextLook, now + MillisecondsBetweenLooks);
        IpcActivity.TellReturned(Key, given);
        return given > 0;
    }

    public override void Release(int count)
    {
        using Use use = BeginUse();
        Give(count);
    }

    /// <inheritdoc/>
    public override int ReleaseCounted(int count)
    {
        int before = TryGetCount(out int seen) ? seen : -1;
        Release(count);
        return before;
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
        // Null if the base's constructor threw.
        if (_records is not null)
        {
            MarkNoUse(_records.File);
            _records.Dispose();
        }

        base.Close();
    }

    /// <summary>Opens the file once more, for reading and without close-on-exec.</summary>
    private static UnixDescriptor OpenForHeirs(in NativeIpcKey key, FileIdentity identity)
    {
        const string attempt = "record the permits of the semaphore";
        int opened = SemaphoreFile.Open(key, Flags.O_RDONLY, TimeSpan.FromSeconds(1), out int number);
        var heirs = new UnixDescriptor(Libc.AboveScripts(opened));
        if (number == 0 && Libc.Status(heirs, out FileStatus status) == 0 && status.Identity == identity) return heirs;
        heirs.Dispose();
        throw number is 0 or Errno.ENOENT
            ? Failure.Found(NativeIpcError.LockError, attempt, key, "open",
                "another process removed or replaced it at this moment", "Try again.")
            : PosixErrors.Open(attempt, key, "open", number);
    }
}
