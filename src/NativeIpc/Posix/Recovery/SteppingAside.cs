using System.Diagnostics;
using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Recovery;

/// <summary>
/// How a handle of a lock closes its file for a moment, at the request of another one, so that the kernel can say
/// whether anybody but this library has the lock open: it gives the lease that proves it only to the one description
/// that is open.
/// </summary>
/// <remarks>
/// <para>While the handle is aside, a private page stands where the lock's page was, at the same address. Its word says
/// that the lock is taken (<see cref="LockWord.Away"/>), so whoever looks there takes nothing, gives nothing, and
/// sleeps on. The descriptor keeps its number and becomes one that only names the file (O_PATH), which the kernel does
/// not count.</para>
/// <para>The request stands in the lock's page behind its 32 bytes (<see cref="HolderSlots.TryAsk"/>), and a touch of
/// the file's times tells of it and of its end. All of this happens on one thread, that of the attendant.</para>
/// </remarks>
internal sealed unsafe class SteppingAside(NativeIpcKey key, nint page, UnixDescriptor file, int slot,
    FileIdentity identity)
{
    // A failure to come back is no news before: a handle that recovers has the slot for some microseconds, and
    // descriptors may be short for a moment.
    private const int PatienceMilliseconds = 1000;
    private const int MillisecondsBetweenFailures = 100;

    // How long the others have to step aside: less than HolderSlots.LongestRequest, after which all are back.
    private const int WindowMilliseconds = 250;

    // All handles of this library are aside, and somebody has the file open: perhaps a process that dies, whose closing
    // the kernel may tell (an assumption) a moment before it is done.
    private const int MillisecondsForDying = 30;

    // For as long after a request, a closing of the file may be that of a handle that has stepped aside late.
    private const int MillisecondsOfEcho = 20;

    private static readonly nuint s_length = (nuint)Environment.SystemPageSize;

    private nint _standIn; // a second view of the page that stands in; 0 while the true one is there
    private nint _kept; // the true page, if it could not be put back at once
    private bool _isClosed;
    private bool _isProvenNow; // the last attempt to come back failed since another handle has the lease
    private int _failure;
    private long _failsSince; // meaningful while there is a failure
    private List<int>? _expected; // the slots of those that have not stepped aside yet; null while this one asks not
    private long _askUntil;
    private long _allAsideSince; // 0 while some are not
    private bool _hearsClosing;

    /// <summary>Guards going and coming, and all that needs the true page or the file.</summary>
    public Lock Gate { get; } = new();

    public FileIdentity Identity => identity;

    public nint Page => page;

    public UnixDescriptor File => file;

    public int Slot => slot;

    /// <summary>Whether the page is not the true one. Under the gate.</summary>
    public bool IsAway => _standIn != 0;

    /// <summary>Where the true page is, while it cannot be put back for want of memory; 0 otherwise. Under the
    /// gate.</summary>
    public nint Kept => _kept;

    /// <summary>The number of its watch, -1 for none; the attendant's.</summary>
    public int Watch { get; set; } = -1;

    /// <summary>Hears for it of what is done to the file; the attendant's.</summary>
    public IFileListener? Listener { get; set; }

    /// <summary>When the handle was opened, in <see cref="Environment.TickCount64"/>.</summary>
    public long OpenedAt { get; } = Environment.TickCount64;

    /// <summary>Whether the request in the page is this handle's; the attendant's.</summary>
    public bool IsAsking { get; private set; }

    /// <summary>When to ask. Under the gate.</summary>
    public AskPacing Pacing { get; } = new();

    /// <summary>When to come back, in <see cref="Environment.TickCount64"/>.</summary>
    public long ReturnBy { get; private set; }

    /// <summary>A path to the file, whatever its name leads to by now.</summary>
    public string OpenedPath => $"/proc/self/fd/{(int)file.DangerousGetHandle()}";

    /// <summary>Says why the true page cannot be had again, if that has been so for a while.</summary>
    /// <exception cref="NativeIpcException">It is so.</exception>
    public void ThrowIfLost()
    {
        int failure = Volatile.Read(ref _failure);
        if (failure == 0 || Environment.TickCount64 - Volatile.Read(ref _failsSince) < PatienceMilliseconds) return;
        throw failure == Errno.EEXIST
            ? Failure.Found(NativeIpcError.LockError, "use the lock", key, "fcntl(F_OFD_SETLK)",
                "this process was stopped while it had let others look whether a dead process holds it, and its place "
                    + "among the users was given to another one",
                "Dispose this instance and open it again. Until then it is tried again by itself.")
            : Failure.Of(NativeIpcError.LockError, "use the lock", key, "open", failure,
                "It could not be opened again after others had looked whether a dead process holds it: see whether "
                    + "its mode or owner was changed, or descriptors are short. It is tried again by itself.");
    }

    /// <summary>Steps aside if another handle asks for it, and this one does not hold the lock.</summary>
    public void StepAsideIfAsked()
    {
        lock (Gate)
        {
            if (_isClosed || IsAway || !HolderSlots.IsAsked(page, slot)) return;
            TryStepAside();
        }
    }

    /// <summary>The same for a handle of this process that asks.</summary>
    public void StepAside()
    {
        lock (Gate)
        {
            if (!_isClosed && !IsAway) TryStepAside();
        }
    }

    private void TryStepAside()
    {
        // A thread could be in the middle of an exchange.
        if (!GlibcSemaphore.ExchangesAtOnce) return;

        // What may keep it from coming back, a process that may not open the file any more, no descriptor left, is
        // found out while it is here.
        string path = OpenedPath;
        int reopened = Libc.open(path, Flags.O_RDWR | Flags.O_CLOEXEC | Flags.O_NONBLOCK, 0);
        if (reopened < 0) return;
        _ = Libc.close(reopened);
        int name = Libc.open(path, Flags.O_PATH | Flags.O_CLOEXEC, 0);
        if (name < 0) return;
        nint view = SwapPages();
        if (view != Libc.MAP_FAILED) GoOrReturn(view, name);
        _ = Libc.close(name);
    }

    /// <summary>Puts a stand-in in the place of the page.</summary>
    /// <returns>Where the true page is now; MAP_FAILED for want of memory, and then nothing has changed.</returns>
    private nint SwapPages()
    {
        Debug.Assert(Gate.IsHeldByCurrentThread && !IsAway && _kept == 0);
        nint substitute = Libc.mmap(0, s_length, Flags.PROT_READ | Flags.PROT_WRITE,
            Flags.MAP_SHARED | Flags.MAP_ANONYMOUS, -1, 0);
        if (substitute == Libc.MAP_FAILED) return substitute;
        LockWord.WriteAway(substitute);
        nint standIn = Libc.mremap(substitute, 0, s_length, Flags.MREMAP_MAYMOVE, 0);
        nint view = standIn == Libc.MAP_FAILED ? standIn : Libc.mremap(page, 0, s_length, Flags.MREMAP_MAYMOVE, 0);
        if (view == Libc.MAP_FAILED || Libc.mremap(substitute, s_length, s_length,
            Flags.MREMAP_MAYMOVE | Flags.MREMAP_FIXED, page) == Libc.MAP_FAILED)
        {
            Unmap(substitute);
            Unmap(standIn);
            Unmap(view);
            return Libc.MAP_FAILED;
        }

        _standIn = standIn;
        StopPoint.At("aside.swapped"); // death here, and up to aside.back: it holds nothing
        return view;
    }

    /// <summary>Closes the file, if this handle has not taken the lock meanwhile; otherwise the true page comes
    /// back.</summary>
    private void GoOrReturn(nint view, int name)
    {
        // R1 Race: a thread takes the lock while the pages are exchanged. Safe because: the exchange is one step for
        // it, so it took in the true page before, which this look finds, or it finds the lock taken.
        if (LockWord.IsHeldByUnknown(GlibcSemaphore.Look(view)) && TryReleaseFile(view, name))
        {
            Unmap(view);
            ReturnBy = Environment.TickCount64 + HolderSlots.LongestRequest;
            StopPoint.At("aside.away"); // death: the note may keep the slot free for a minute
            return;
        }

        if (!TryReplace(view)) _kept = view;
        ReturnBy = 0;
    }

    private bool TryReleaseFile(nint view, int name)
    {
        // R2 Race: another handle claims the slot, or recovers from its last user. Safe because: the note comes before
        // the lock is released, and keeps claimers away (HolderSlots R1); one that recovers has the lock for a moment,
        // and the return tries again. A process that is stopped for more than a minute may find its slot taken; until
        // that is free this handle cannot lock, and says so, since a thread in it could still set the old mark.
        HolderSlots.NoteAside(view, slot);
        HolderSlots.Unlock(file, slot); // closing does not, until a child of this process comes to its exec
        if (Libc.dup3(name, (int)file.DangerousGetHandle(), Flags.O_CLOEXEC) >= 0) return true;
        if (HolderSlots.Lock(file, slot) != 0) return true; // to be had again as after going
        HolderSlots.NoteProcess(view, slot);
        return false;
    }

    /// <summary>Comes back; false when that has to be tried again, since another handle has the lease at this moment,
    /// or the file cannot be opened.</summary>
    public bool TryReturn()
    {
        lock (Gate) return TryReturnHere(ReturnWhen.Now);
    }

    /// <summary>
    /// Comes back if nobody asks any more, or somebody has taken the lock or given it back: so that a caller that tries
    /// once is not told that a free lock is taken. False when it stays aside.
    /// </summary>
    public bool TryReturnIfOver()
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(1));
        while (true)
        {
            lock (Gate)
            {
                if (_isClosed || TryReturnHere(ReturnWhen.RequestIsOver)) return !IsAway;
                if (!_isProvenNow) return false;
            }

            if (!backoff.Pause()) return false; // the handle with the lease is held up itself
        }
    }

    private enum ReturnWhen { Now, RequestIsOver }

    private bool TryReturnHere(ReturnWhen when)
    {
        Debug.Assert(Gate.IsHeldByCurrentThread);
        _isProvenNow = false;
        if (!IsAway || _standIn == Libc.MAP_FAILED) return true;
        if (_kept != 0)
        {
            if (!TryReplace(_kept)) return Fail(Errno.ENOMEM);
            _kept = 0;
            return Succeed();
        }

        using var again = new UnixDescriptor(
            Libc.open(OpenedPath, Flags.O_RDWR | Flags.O_CLOEXEC | Flags.O_NONBLOCK, 0));
        if (again.IsInvalid)
        {
            int number = Marshal.GetLastPInvokeError();
            _isProvenNow = number == Errno.EAGAIN || number == Errno.EINTR;
            return _isProvenNow ? false : Fail(number);
        }

        nint view = Libc.mmap(0, s_length, Flags.PROT_READ | Flags.PROT_WRITE, Flags.MAP_SHARED,
            (int)again.DangerousGetHandle(), 0);
        if (view == Libc.MAP_FAILED) return Fail(Marshal.GetLastPInvokeError());
        if (when == ReturnWhen.RequestIsOver && HolderSlots.IsAsked(view, slot)
            && LockWord.IsHeldByUnknown(GlibcSemaphore.Look(view)))
        {
            Unmap(view);
            return false;
        }

        return TryReturnTo(again, view);
    }

    /// <summary>Comes back to the file that was opened again, and to its page, which is taken over.</summary>
    private bool TryReturnTo(UnixDescriptor again, nint view)
    {
        // The slot first, so that a handle that does not come back is not counted among the file's users.
        int failure = HolderSlots.Lock(again, slot);
        if (failure == 0 && Libc.dup3((int)again.DangerousGetHandle(), (int)file.DangerousGetHandle(),
            Flags.O_CLOEXEC) < 0)
            failure = Marshal.GetLastPInvokeError();
        if (failure != 0)
        {
            Unmap(view);
            return Fail(HolderSlots.IsTaken(failure) ? Errno.EEXIST : failure);
        }

        LockWord.Repair(view, LockWord.MarkOf(slot));
        HolderSlots.NoteProcess(view, slot);
        if (TryReplace(view)) return Succeed();
        _kept = view;
        return Fail(Errno.ENOMEM);
    }

    private bool Succeed()
    {
        Volatile.Write(ref _failure, 0);
        StopPoint.At("aside.back");
        return true;
    }

    private bool Fail(int number)
    {
        long now = Environment.TickCount64;
        if (_failure == 0) Volatile.Write(ref _failsSince, now);
        Volatile.Write(ref _failure, number);
        ReturnBy = now + MillisecondsBetweenFailures;
        return false;
    }

    /// <summary>Puts the true page back, and into its word the waiters of the stand-in. False for want of kernel
    /// memory.</summary>
    private bool TryReplace(nint view)
    {
        Debug.Assert(IsAway && view != 0 && view != Libc.MAP_FAILED);
        long added = LockWord.BeginReturn(view, _standIn);
        if (Libc.mremap(view, s_length, s_length, Flags.MREMAP_MAYMOVE | Flags.MREMAP_FIXED, page) == Libc.MAP_FAILED)
        {
            LockWord.CancelReturn(view, added);
            return false;
        }

        LockWord.EndReturn(page, _standIn, added);

        // R3 Race: a post meanwhile woke a thread that looked at the stand-in. Safe because: all that sleep there look
        // again at the true word, and one that sleeps on the true word is woken.
        Futex.WakeAll(GlibcSemaphore.SleepingPlace(_standIn), uint.MaxValue);
        if (GlibcSemaphore.Look(page) is { Count: > 0, Waiters: > 0 }) GlibcSemaphore.Wake(page, 1);
        Unmap(_standIn);
        _standIn = 0;
        return true;
    }

    /// <summary>Somebody has closed the file: whether to ask now if the holder lives.</summary>
    public bool TryHint()
    {
        lock (Gate)
        {
            if (_isClosed || IsAsking) return false;
            long now = Environment.TickCount64;
            if (!Pacing.IsAwaited(now))
            {
                // Also when it did not ask to hear: the kernel goes on telling of closings that another handle of this
                // inode had asked for (FileWatch.Remove).
                _hearsClosing = false;
                if (Listener is not null) FileWatch.HearClosing(Watch, OpenedPath, Listener, hears: false);
                return false;
            }

            if (IsAway || HolderSlots.IsOrWasAsked(page, MillisecondsOfEcho)) return false;
            if (!LockWord.IsHeldByUnknown(GlibcSemaphore.Look(page))) return false;
            if (!Pacing.Hint(now)) return false;
            Pacing.Asking(now);
            StopPoint.At("ask.hinted"); // death: nothing is done yet
            return true;
        }
    }

    private void HearClosingHere(bool hears)
    {
        if (_hearsClosing == hears || Watch == -1 || Listener is null) return;
        _hearsClosing = hears;
        FileWatch.HearClosing(Watch, OpenedPath, Listener, hears);
    }

    /// <summary>Writes the request into the page; false when there is nothing to ask, or another handle asks or has
    /// just asked.</summary>
    public bool TryAsk()
    {
        lock (Gate)
        {
            if (_isClosed || IsAway || !LockWord.IsHeldByUnknown(GlibcSemaphore.Look(page))) return false;
            HearClosingHere(true); // before the last look at the file's users
            long now = Environment.TickCount64;
            if (!HolderSlots.TryAsk(page, slot, Pacing.Gap))
            {
                long end = HolderSlots.EndOfRequest(page, out bool isOver);
                if (isOver) Pacing.Refused(now, end);
                else Pacing.Joined(end);
                return false;
            }

            IsAsking = true;
            _askUntil = now + WindowMilliseconds;
            _allAsideSince = 0;
            HolderSlots.FindUsers(page, file, slot, _expected = []);
            StopPoint.At("ask.published"); // death: the request ends by its time, and those aside come back by theirs
            return true;
        }
    }

    /// <summary>Tells the others of the request, or of its end.</summary>
    public void Tell()
    {
        lock (Gate)
        {
            if (!_isClosed) Libc.Touch(file);
        }
    }

    /// <summary>Frees the lock if nobody else has it open by now; ends the request when it is answered, or has lasted
    /// long enough.</summary>
    /// <returns>Whether it is over.</returns>
    public bool TryEndAsking()
    {
        lock (Gate)
        {
            if (_isClosed || !IsAsking) return true;
            long now = Environment.TickCount64;
            bool isAnswered = LockWord.FreeIfLeased(page, file) != Errno.EAGAIN;
            if (!isAnswered)
            {
                bool isAllAside = IsEveryoneAside();
                if (!isAllAside) _allAsideSince = 0;
                else if (_allAsideSince == 0) _allAsideSince = now;
                if (now < _askUntil && (!isAllAside || now - _allAsideSince < MillisecondsForDying)) return false;
                Pacing.Failed(now, isAllAside ? AskPacing.Outcome.OthersHaveItOpen : AskPacing.Outcome.Unknown);
            }
            else
            {
                Pacing.End();
                HearClosingHere(false);
            }

            EndAskingHere(isAnswered ? HolderSlots.AskAnswer.Answered : HolderSlots.AskAnswer.None);
            return true;
        }
    }

    /// <summary>The slots of the other handles that have the file open, with the process that each notes; null when
    /// that cannot be seen.</summary>
    public List<(int Slot, int Process)>? FindUsers()
    {
        lock (Gate)
        {
            if (_isClosed) return null;
            if (!IsAway) return Describe(page, file);

            // Opened beside, not a return, which would make the handle that asks begin anew; and for reading, whose
            // closing is no hint that a process dies.
            int how = Flags.O_RDONLY | Flags.O_NONBLOCK;
            using var again = new UnixDescriptor(Libc.open(OpenedPath, how | Flags.O_CLOEXEC, 0));
            if (again.IsInvalid) return null;
            nint view = Libc.mmap(0, s_length, Flags.PROT_READ, Flags.MAP_SHARED, (int)again.DangerousGetHandle(), 0);
            if (view == Libc.MAP_FAILED) return null;
            List<(int, int)> found = Describe(view, again);
            Unmap(view);
            return found;
        }
    }

    private List<(int Slot, int Process)> Describe(nint view, UnixDescriptor opened)
    {
        List<int> slots = [];
        HolderSlots.FindUsers(view, opened, slot, slots);
        List<(int, int)> users = [];
        foreach (int user in slots) users.Add((user, HolderSlots.ReadProcess(view, user)));
        return users;
    }

    private bool IsEveryoneAside()
    {
        for (int i = _expected!.Count - 1; i >= 0; i--)
        {
            if (!HolderSlots.IsUser(page, file, _expected[i])) _expected.RemoveAt(i);
        }

        // Some may have come back, or are new.
        if (_expected.Count == 0 && _allAsideSince == 0) HolderSlots.FindUsers(page, file, slot, _expected);
        return _expected.Count == 0;
    }

    private void EndAskingHere(HolderSlots.AskAnswer answer)
    {
        IsAsking = false;
        _expected = null;
        HolderSlots.EndAsking(page, slot, answer);
        Libc.Touch(file);
    }

    /// <summary>Before the handle closes, or the process ends, and when the attendant has forgotten it: comes back if
    /// it can. From then on it stays.</summary>
    public void Close()
    {
        lock (Gate)
        {
            if (IsAsking) EndAskingHere(HolderSlots.AskAnswer.None);
            _isClosed = true;
            var backoff = new Backoff(TimeSpan.FromMilliseconds(HolderSlots.LongestRequest));
            while (!TryReturnHere(ReturnWhen.Now) && backoff.Pause())
            {
            }

            if (!IsAway) return;
            if (_kept != 0) Unmap(_kept);
            _kept = 0;
            Unmap(_standIn); // the page goes with the handle, as the true one would have
            _standIn = Libc.MAP_FAILED; // aside for ever
        }
    }

    private static void Unmap(nint address)
    {
        if (address != Libc.MAP_FAILED) _ = Libc.munmap(address, s_length);
    }
}
