using System.Runtime.InteropServices;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Recovery;

/// <summary>
/// How a handle of a <see cref="HeldSemaphore"/> lets go of its file for a moment, at the request of another one, so
/// that the kernel can say whether anybody but this library has the lock open: the lease that proves it is given to the
/// only one who has.
/// </summary>
/// <remarks>
/// <para>While it is aside, a private page stands where the semaphore's page was, at the same address. Its word says
/// that somebody holds the lock (<see cref="GlibcSemaphore.Away"/>), so whoever looks there takes nothing, gives
/// nothing, and sleeps on. The descriptor keeps its number and is one by which the file can only be named and opened
/// again (O_PATH), which the kernel does not count.</para>
/// <para>The request stands in the semaphore's page behind its 32 bytes, with who asks and when; the file's times are
/// touched to tell of it and of its end. All of this happens on the thread of <see cref="FileWatch"/>
/// (<see cref="LockAttendant"/>).</para>
/// <para>Interleavings. (1) A thread takes the lock while the pages are exchanged: the exchange is one step for it, so
/// it took in the true page before, which the look after the exchange finds there, and the true page comes back; or it
/// finds the lock taken. (2) That holder gives it back meanwhile: it finds the word of the page that stands in, waits
/// for the gate, and looks again. (3) Somebody joins the waiters in one page and leaves them in the other: the
/// difference is added while the true page comes back, by way of a number that cannot pass below 0. (4) A post
/// meanwhile wakes a thread that looks at the wrong page: the true word is looked at on the return, and one is woken.
/// Who tries once, or asks for the count, comes back first if the request is over. (5) The slot's lock is let go of as
/// well (said, since a child of fork(2) keeps the file open): nobody else claims the slot, since its note says that its
/// user is aside, for a minute, and who has tried it looks at the note again. Who recovers from its last user may have
/// it for a moment: it is tried again. A process that is stopped for longer may find it taken: until it is free this
/// handle cannot lock, and says so, for a thread in it could still set the old mark. (6) Who asks dies: everybody is
/// back after <see cref="LongestMilliseconds"/>. (7) Close, and the end of the process, come back first, under the
/// gate.</para>
/// <para>Where a process can die: <c>aside.swapped</c>, <c>aside.away</c>, <c>aside.back</c>: it holds nothing there,
/// and a note may keep its slot free for a minute. <c>ask.published</c>: the request ends by its time; those that are
/// aside come back by theirs. <c>ask.hinted</c>: nothing is done yet. Then as in HeldSemaphore: <c>prove.leased</c>,
/// <c>prove.repaired</c>.</para>
/// </remarks>
internal sealed unsafe class SteppingAside(NativeIpcKey key, nint page, UnixDescriptor file, int slot,
    FileIdentity identity) : IFileListener
{
    /// <summary>How long a handle is aside if nobody calls it back.</summary>
    internal const int LongestMilliseconds = 300;

    // A failure to come back is no news before: who recovers has the slot for some microseconds, and descriptors may be
    // short for a moment.
    private const int PatienceMilliseconds = 1000;
    private const int MillisecondsBetweenFailures = 100;

    // How long the others have to step aside. Most come at once, and on a loaded machine when they are scheduled; all
    // are back after LongestMilliseconds.
    private const int WindowMilliseconds = 250;

    // All of this library are aside, and somebody has it open: perhaps one that dies, of which the kernel may
    // tell (an assumption) a moment before it lets go.
    private const int MillisecondsForDying = 30;

    // As long after a request those that have stepped aside late, and have closed the file for it, are not taken for
    // one that dies.
    private const int MillisecondsOfEcho = 20;

    private static readonly nuint s_length = (nuint)Environment.SystemPageSize;

    private nint _standIn; // a second view of the page that stands in; 0 while the true one is there
    private nint _kept; // the true page, if it could not be put back at once
    private bool _isClosed;
    private bool _isProvenNow; // why the last attempt to come back failed
    private int _failure;
    private long _failsSince; // meaningful while there is a failure
    private List<int>? _expected; // the slots of those that have not stepped aside yet, while this handle asks
    private long _askUntil;
    private long _allAsideSince; // 0 while some are not
    private bool _hearsClosing;

    /// <summary>Guards going and coming, and whatever needs the true page or the file.</summary>
    public Lock Gate { get; } = new();

    public FileIdentity Identity => identity;

    public nint Page => page;

    public UnixDescriptor File => file;

    public int Slot => slot;

    /// <summary>Whether the page is not the true one. Under the gate.</summary>
    public bool IsAway => _standIn != 0;

    /// <summary>Where the true page is while it could not be put back although the file was kept or had again; 0
    /// otherwise. Under the gate.</summary>
    public nint Kept => _kept;

    /// <summary>The number of its watch, -1 for none; the attendant's.</summary>
    public int Watch { get; set; } = -1;

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

    public void FileChanged() => LockAttendant.Heed(this);

    public void FileClosed() => LockAttendant.HeedClosing(this);

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

    /// <summary>Steps aside if somebody else asks for it, and this handle does not hold the lock.</summary>
    public void StepAsideIfAsked()
    {
        lock (Gate)
        {
            if (_isClosed || IsAway || !HolderSlots.IsAsked(page, slot)) return;
            TryStepAside();
        }
    }

    /// <summary>Steps aside; for one who asks in this process.</summary>
    public void StepAside()
    {
        lock (Gate)
        {
            if (!_isClosed && !IsAway) TryStepAside();
        }
    }

    private void TryStepAside()
    {
        // What may keep it from coming back, a process that may not open the file any more, no descriptor left, is
        // found out while it is here.
        string path = OpenedPath;
        int reopened = Libc.open(path, Flags.O_RDWR | Flags.O_CLOEXEC | Flags.O_NONBLOCK, 0);
        if (reopened < 0) return;
        _ = Libc.close(reopened);
        int name = Libc.open(path, Flags.O_PATH | Flags.O_CLOEXEC, 0);
        if (name < 0) return;
        try
        {
            nint substitute = Libc.mmap(0, s_length, Flags.PROT_READ | Flags.PROT_WRITE,
                Flags.MAP_SHARED | Flags.MAP_ANONYMOUS, -1, 0);
            if (substitute == Libc.MAP_FAILED) return;
            GlibcSemaphore.WriteAway(substitute);
            nint standIn = Libc.mremap(substitute, 0, s_length, Flags.MREMAP_MAYMOVE, 0);
            nint view = standIn == Libc.MAP_FAILED ? standIn : Libc.mremap(page, 0, s_length, Flags.MREMAP_MAYMOVE, 0);
            if (view == Libc.MAP_FAILED || Libc.mremap(substitute, s_length, s_length,
                Flags.MREMAP_MAYMOVE | Flags.MREMAP_FIXED, page) == Libc.MAP_FAILED)
            {
                Unmap(substitute);
                Unmap(standIn);
                Unmap(view);
                return;
            }

            _standIn = standIn;
            StopPoint.At("aside.swapped");
            if (!HeldSemaphore.IsHeldByUnknown(GlibcSemaphore.Look(view)) || !TryLetGo(view, name))
            {
                if (!TryReplace(view)) _kept = view;
                ReturnBy = 0;
                return;
            }

            Unmap(view);
            ReturnBy = Environment.TickCount64 + LongestMilliseconds;
            StopPoint.At("aside.away");
        }
        finally
        {
            _ = Libc.close(name);
        }
    }

    private bool TryLetGo(nint view, int name)
    {
        HolderSlots.NoteAside(view, slot);
        // Closing does not, as long as a child of this process has not come to its exec yet
        HolderSlots.Unlock(file, slot);
        if (Libc.dup3(name, (int)file.DangerousGetHandle(), Flags.O_CLOEXEC) >= 0) return true;
        if (HolderSlots.Lock(file, slot) != 0) return true; // to be had again as after going
        HolderSlots.NoteProcess(view, slot);
        return false;
    }

    /// <summary>Comes back; false when that has to be tried again, since another one proves at this moment, or the file
    /// cannot be opened.</summary>
    public bool TryReturn()
    {
        lock (Gate) return TryReturnHere(isUrgent: true);
    }

    /// <summary>
    /// Comes back if nobody asks any more, or somebody has taken the lock or given it back: so that who tries once is
    /// not told that a free lock is taken. False when it stays aside.
    /// </summary>
    public bool TryReturnIfOver()
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(1));
        while (true)
        {
            lock (Gate)
            {
                if (_isClosed || TryReturnHere(isUrgent: false)) return !IsAway;
                if (!_isProvenNow) return false;
            }

            if (!backoff.Pause()) return false; // who proves is held up itself
        }
    }

    private bool TryReturnHere(bool isUrgent)
    {
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

        int opened = (int)again.DangerousGetHandle();
        nint view = Libc.mmap(0, s_length, Flags.PROT_READ | Flags.PROT_WRITE, Flags.MAP_SHARED, opened, 0);
        if (view == Libc.MAP_FAILED) return Fail(Marshal.GetLastPInvokeError());
        if (!isUrgent && HolderSlots.IsAsked(view, slot) && HeldSemaphore.IsHeldByUnknown(GlibcSemaphore.Look(view)))
        {
            Unmap(view);
            return false;
        }

        // Before the file is this handle's again, so that one which does not come back is not counted among the file's
        // users.
        int failure = HolderSlots.Lock(again, slot);
        if (failure == 0 && Libc.dup3(opened, (int)file.DangerousGetHandle(), Flags.O_CLOEXEC) < 0)
            failure = Marshal.GetLastPInvokeError();
        if (failure != 0)
        {
            Unmap(view);
            return Fail(HolderSlots.IsTaken(failure) ? Errno.EEXIST : failure);
        }

        HeldSemaphore.Repair(view, (uint)slot + 1);
        HolderSlots.NoteProcess(view, slot);
        if (!TryReplace(view))
        {
            _kept = view;
            return Fail(Errno.ENOMEM);
        }

        return Succeed();
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

    /// <summary>Puts the true page back, and what was done to the word of the other one into the true word. False for
    /// want of kernel memory.</summary>
    private bool TryReplace(nint view)
    {
        long added = GlibcSemaphore.BeginReturn(view, _standIn);
        if (Libc.mremap(view, s_length, s_length, Flags.MREMAP_MAYMOVE | Flags.MREMAP_FIXED, page) == Libc.MAP_FAILED)
        {
            GlibcSemaphore.CancelReturn(view, added);
            return false;
        }

        GlibcSemaphore.EndReturn(page, _standIn, added);
        Futex.WakeAll(GlibcSemaphore.SleepingPlace(_standIn), uint.MaxValue);
        if (GlibcSemaphore.Look(page) is { Count: > 0, Waiters: > 0 }) GlibcSemaphore.Wake(page, 1);
        Unmap(_standIn);
        _standIn = 0;
        return true;
    }

    /// <summary>Somebody has closed the file. Whether to ask for that reason whether the holder lives.</summary>
    public bool TryHint()
    {
        lock (Gate)
        {
            if (_isClosed || IsAsking) return false;
            long now = Environment.TickCount64;
            if (!Pacing.IsAwaited(now))
            {
                _hearsClosing = false;
                FileWatch.HearClosing(Watch, OpenedPath, this, hears: false);
                return false;
            }

            if (IsAway || HolderSlots.IsOrWasAsked(page, MillisecondsOfEcho)) return false;
            if (!HeldSemaphore.IsHeldByUnknown(GlibcSemaphore.Look(page))) return false;
            if (!Pacing.Hint(now)) return false;
            Pacing.Asking(now);
            StopPoint.At("ask.hinted");
            return true;
        }
    }

    private void HearClosingHere(bool hears)
    {
        if (_hearsClosing == hears || Watch == -1) return;
        _hearsClosing = hears;
        FileWatch.HearClosing(Watch, OpenedPath, this, hears);
    }

    /// <summary>Writes the request into the page; false when there is nothing to ask, or another one asks or has just
    /// asked.</summary>
    public bool TryAsk()
    {
        lock (Gate)
        {
            if (_isClosed || IsAway || !HeldSemaphore.IsHeldByUnknown(GlibcSemaphore.Look(page))) return false;
            HearClosingHere(true); // before the last look at who has the file
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
            StopPoint.At("ask.published");
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
            bool isAnswered = HeldSemaphore.FreeIfLeased(page, file) != Errno.EAGAIN;
            if (!isAnswered)
            {
                bool isAllAside = IsEveryoneAside();
                if (!isAllAside) _allAsideSince = 0;
                else if (_allAsideSince == 0) _allAsideSince = now;
                if (now < _askUntil && (!isAllAside || now - _allAsideSince < MillisecondsForDying)) return false;
                Pacing.Failed(now, isAllAside);
            }
            else
            {
                Pacing.End();
                HearClosingHere(false);
            }

            EndAskingHere(isAnswered);
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

            // Not a return: those who have others step aside would have to begin anew. Who reads does not look like
            // one that dies.
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

        // Some may have come back meanwhile, or are new.
        if (_expected.Count == 0 && _allAsideSince == 0) HolderSlots.FindUsers(page, file, slot, _expected);
        return _expected.Count == 0;
    }

    private void EndAskingHere(bool isAnswered = false)
    {
        IsAsking = false;
        _expected = null;
        HolderSlots.EndAsking(page, slot, isAnswered);
        Libc.Touch(file);
    }

    /// <summary>Before the handle closes, or the process ends: comes back if it can. Afterwards it stays.</summary>
    public void Close()
    {
        LockAttendant.Forget(this);
        lock (Gate)
        {
            if (IsAsking) EndAskingHere();
            _isClosed = true;
            var backoff = new Backoff(TimeSpan.FromMilliseconds(LongestMilliseconds));
            while (!TryReturnHere(isUrgent: true) && backoff.Pause())
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
