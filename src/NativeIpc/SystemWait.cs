using System.Diagnostics;
using NativeIpc.Contracts;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

/// <summary>
/// Waits for any of several objects: takes exactly one, and tells which. Semaphores (a permit of which is taken), locks
/// of segments and events, of all key types, mixed.
/// </summary>
/// <remarks>
/// <para>Where several are ready, the one with the lowest index is taken; the objects behind it are not looked at. The
/// lock, or the permit of a <see cref="SystemSemaphoreOptions.Robust"/> semaphore, whose holder was killed is taken
/// over as by other waits: when nothing else is ready, and before the thread sleeps.</para>
/// <para>What is taken is as if by <see cref="SystemSemaphore.Acquire()"/>, <see cref="SharedMemory.Lock()"/> or
/// <see cref="SystemEvent.Wait()"/>: a permit is given back by <see cref="SystemSemaphore.Release(int)"/>, a lock by
/// disposing <see cref="SystemWaitResult.Lock"/>, an auto-reset event is reset.</para>
/// <para>POSIX objects with glibc on Linux 5.16 and newer share one sleep (<c>futex_waitv(2)</c>), up to 127 of them.
/// So do semaphores and events on Windows, up to 64. Others are looked at in between, every 1 to 20 ms:
/// docs/waiting.md.</para>
/// <para>Thread safety: any number of threads and processes may wait for the same objects, and dispose them.</para>
/// </remarks>
public static partial class SystemWait
{
    /// <summary>Waits until one of the objects is ready, and takes it.</summary>
    /// <param name="targets">One or more; the same one may come twice.</param>
    /// <returns>Which one was taken.</returns>
    /// <exception cref="ArgumentException"><paramref name="targets"/> is empty, or one of them is none.</exception>
    /// <exception cref="InvalidOperationException">A segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="ObjectDisposedException">One of the objects was disposed, before or meanwhile; nothing was
    /// taken.</exception>
    /// <exception cref="NativeIpcException">One of the objects failed, as <see cref="SystemSemaphore.Acquire()"/> and
    /// <see cref="SharedMemory.Lock()"/> do; nothing was taken.</exception>
    public static SystemWaitResult Any(params ReadOnlySpan<SystemWaitTarget> targets)
        => Any(targets, Timeout.InfiniteTimeSpan);

    /// <summary>Waits until one of the objects is ready, at most for a time on the monotonic clock, and takes
    /// it.</summary>
    /// <param name="targets">One or more; the same one may come twice.</param>
    /// <param name="timeout">The longest wait; zero tries each once, <see cref="Timeout.InfiniteTimeSpan"/> waits for
    /// ever.</param>
    /// <param name="cancellationToken">Ends the wait; see docs/waiting.md for how soon.</param>
    /// <returns>Which one was taken, or that the time passed, which is never said early.</returns>
    /// <exception cref="ArgumentException"><paramref name="targets"/> is empty, or one of them is none.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="timeout"/> is negative and not infinite, or over
    /// 2^31-1 ms.</exception>
    /// <exception cref="InvalidOperationException">A segment was opened with
    /// <see cref="SharedMemoryOptions.UseLock"/> set to false.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled; nothing was taken.</exception>
    /// <exception cref="ObjectDisposedException">One of the objects was disposed, before or meanwhile; nothing was
    /// taken.</exception>
    /// <exception cref="NativeIpcException">One of the objects failed, as <see cref="SystemSemaphore.Acquire()"/> and
    /// <see cref="SharedMemory.Lock()"/> do; nothing was taken.</exception>
    public static SystemWaitResult Any(ReadOnlySpan<SystemWaitTarget> targets, TimeSpan timeout,
        CancellationToken cancellationToken = default)
    {
        Check(targets);
        var deadline = new Deadline(timeout);
        cancellationToken.ThrowIfCancellationRequested();
        for (int i = 0; i < targets.Length; i++)
        {
            ref readonly SystemWaitTarget target = ref targets[i];
            if (!target.IsSeenEmpty && target.TryTakeFirst(out SharedMemoryLock scope))
                return new SystemWaitResult(i, scope);
        }

        return Wait(targets, deadline, cancellationToken);
    }

    private static SystemWaitResult Wait(ReadOnlySpan<SystemWaitTarget> targets, in Deadline deadline,
        CancellationToken cancellationToken)
    {
        SystemWaitResult taken = default;
        Members members = Members.Rent(targets);
        try
        {
            // A first full try, which also takes over from dead holders.
            _ = Waiter.Acquire(new AnyOf(targets, members, ref taken), deadline, cancellationToken);
        }
        finally
        {
            members.Return();
        }

        return taken;
    }

    private static void Check(ReadOnlySpan<SystemWaitTarget> targets)
    {
        if (targets.IsEmpty) throw new ArgumentException("There is nothing to wait for.", nameof(targets));
        foreach (ref readonly SystemWaitTarget target in targets)
        {
            if (target.IsNone)
                throw new ArgumentException("One of the targets is none (default).", nameof(targets));
        }
    }

    /// <summary>A wait for several.</summary>
    private readonly ref struct AnyOf(ReadOnlySpan<SystemWaitTarget> targets, Members members,
        ref SystemWaitResult taken)
        : IAcquirable
    {
        private static readonly TimeSpan s_moment = TimeSpan.FromMilliseconds(20);

        private readonly ReadOnlySpan<SystemWaitTarget> _targets = targets;
        private readonly Members _members = members;
        private readonly ref SystemWaitResult _taken = ref taken;

        private ref readonly SystemWaitTarget Told => ref _targets[Math.Max(_taken.Index, 0)];

        public NativeIpcKey Key => Told.Key;

        public IpcObjectKind Kind => Told.Kind;

        public ref SpinState Spin => ref _members.Spin;

        public bool AreTriesDear
        {
            get
            {
                foreach (ref readonly SystemWaitTarget target in _targets)
                {
                    if (target.AreTriesDear) return true;
                }

                return false;
            }
        }

        /// <inheritdoc/>
        public bool TryAcquire() => TryTake(looks: true, out _);

        /// <inheritdoc/>
        public bool TryAcquireFast() => TryTake(looks: false, out _);

        /// <summary>Takes the first one that is ready.</summary>
        /// <param name="looks">Whether dead holders are looked for.</param>
        /// <param name="heldUp">One that another try after a moment may say more of; -1 for none.</param>
        private bool TryTake(bool looks, out int heldUp)
        {
            heldUp = -1;
            for (int i = 0; i < _targets.Length; i++)
            {
                ref readonly SystemWaitTarget target = ref _targets[i];
                if (!looks && target.IsSeenEmpty) continue;
                if (target.TryTake(new(looks, _members.Seen[i], _members.IsWaiter(i)), out SharedMemoryLock scope,
                    out bool isHeldUp))
                {
                    _taken = new SystemWaitResult(i, scope);
                    return true;
                }

                if (isHeldUp && heldUp < 0) heldUp = i;
            }

            return false;
        }

        /// <inheritdoc/>
        /// <remarks>Nothing is asked between a successful try and the return, so exactly one is taken. R1 Race: several
        /// objects wake the thread at once, and it takes one. Safe because: leaving the waiters of the others passes
        /// their wake-ups on to the next sleepers.</remarks>
        public bool Block(TimeSpan longest, Wakeup wakeup)
        {
            wakeup.BeginWords();
            try
            {
                TimeSpan slice = Join(wakeup);
                if (TryTake(looks: true, out int heldUp)) return true;
                if (heldUp >= 0)
                {
                    _targets[heldUp].AwaitMoment();
                    slice = wakeup.NextPoll();
                }

                if (longest < slice) slice = longest;
                _members.WatchHolders(wakeup);
                if (_members.WaitsForHandles) return TryWaitForHandle(slice);
                if (_members.WaitsForItself) return TryBlockInOnly(slice, wakeup);
                wakeup.SleepOnWords(slice);
                return TryAcquireFast();
            }
            finally
            {
                wakeup.EndWords();
                _members.Leave();
            }
        }

        /// <summary>Joins the waiters of each object. The longest sleep that is possible then.</summary>
        private TimeSpan Join(Wakeup wakeup)
        {
            bool polls = false;
            bool looks = false;
            for (int i = 0; i < _targets.Length; i++)
            {
                WaitObject? used = _targets[i].TryBeginUse();
                _members.Enter(i, used);
                if (used is not null && used.WaitWord is not 0 and nint word
                    && wakeup.TryAddWord(word, _members.Seen[i]))
                {
                    _members.AddWaiter(i); // a full barrier
                    looks |= used.NeedsLooks || _targets[i].Kind == IpcObjectKind.SharedMemory;
                }
                else if (used is null || !_members.TryAddHandle(i))
                {
                    polls = true;
                    (used as SemaphoreObject)?.AwaitReady(s_moment, wakeup);
                }
            }

            // A single one that is polled can wait better by itself.
            _members.WaitsForItself = polls && _targets is [{ Kind: not IpcObjectKind.SharedMemory }];
            return _members.WaitsForItself ? Wakeup.LongestSlice : polls ? wakeup.NextPoll()
                : looks ? wakeup.NextSlice() : _members.WaitsForHandles ? Wakeup.LongestSlice : TimeSpan.MaxValue;
        }

        private bool TryBlockInOnly(TimeSpan slice, Wakeup wakeup)
        {
            bool isTaken = _members.Only is EventObject only ? only.Block(_members.Seen[0], slice, wakeup)
                : ((SemaphoreObject)_members.Only).Block(slice, wakeup);
            if (isTaken) _taken = new SystemWaitResult(0, default);
            return isTaken;
        }

        /// <summary>Waits as the system does: the wait itself takes what there is.</summary>
        private bool TryWaitForHandle(TimeSpan slice)
        {
            int index = _members.WaitForHandle(slice);
            if (index < 0) return TryAcquireFast();
            _taken = new SystemWaitResult(index, default);
            return true;
        }
    }

    /// <summary>What a thread has seen and joined: the objects that it has entered, those of which it is a waiter, and
    /// the handles that the system waits for. One for each thread, used again and again.</summary>
    private sealed class Members
    {
        private const int MostHandles = 64; // MAXIMUM_WAIT_OBJECTS

        [ThreadStatic]
        private static Members? t_spare;

        private WaitObject?[] _entered = [];
        private bool[] _isWaiter = [];
        private int _count; // of those that may be entered
        private WaitHandle[] _handles = []; // as long as there are handles, since the call takes all of an array
        private readonly WaitHandle?[] _found = new WaitHandle?[OperatingSystem.IsWindows() ? MostHandles : 0];
        private readonly int[] _targetOf = new int[OperatingSystem.IsWindows() ? MostHandles : 0];
        private int _handleCount;
        private SpinState _spin;

        /// <summary>Of the calling thread, with what it sees now. A wait inside another one's, of a handler, has its
        /// own.</summary>
        public static Members Rent(ReadOnlySpan<SystemWaitTarget> targets)
        {
            Members members = t_spare ?? new Members();
            t_spare = null;
            if (members.Seen.Length < targets.Length)
            {
                members.Seen = new uint[Math.Max(16, targets.Length)];
                members._entered = new WaitObject?[members.Seen.Length];
                members._isWaiter = new bool[members.Seen.Length];
            }

            try
            {
                for (int i = 0; i < targets.Length; i++) members.Seen[i] = targets[i].Look();
                return members;
            }
            catch
            {
                members.Return(); // an event that is disposed
                throw;
            }
        }

        public void Return()
        {
            Debug.Assert(_count == 0);
            t_spare = this;
        }

        public ref SpinState Spin => ref _spin;

        /// <summary>What the wait saw of each target when it began.</summary>
        public uint[] Seen { get; private set; } = [];

        /// <summary>The only one.</summary>
        public WaitObject Only => _entered[0]!;

        /// <summary>Whether the only one waits in its own way.</summary>
        public bool WaitsForItself { get; set; }

        public bool WaitsForHandles => _handleCount > 0;

        /// <summary>Whether the thread is among the waiters of a target.</summary>
        public bool IsWaiter(int target) => _isWaiter[target];

        /// <summary>Notes the object of a target that was entered, or that it could not be.</summary>
        public void Enter(int target, WaitObject? entered)
        {
            Debug.Assert(_count == target && !_isWaiter[target]);
            _entered[_count++] = entered;
        }

        /// <summary>Adds the caller to the waiters of a target that was entered.</summary>
        public void AddWaiter(int target)
        {
            _entered[target]!.AddWaiter();
            _isWaiter[target] = true;
        }

        /// <summary>Adds the handle of a target; false when it has none, or there are too many.</summary>
        public bool TryAddHandle(int target)
        {
            if (_entered[target]!.WaitHandle is not { } handle || _handleCount == _found.Length) return false;
            if (Array.IndexOf(_found, handle, 0, _handleCount) >= 0) return true; // the same object twice
            _targetOf[_handleCount] = target;
            _found[_handleCount++] = handle;
            return true;
        }

        /// <summary>Has the end of holders wake the thread, where that is noticed; not in a wait's first sleep, which
        /// is short.</summary>
        public void WatchHolders(Wakeup wakeup)
        {
            if (wakeup.IsFirstSlice) return;
            for (int i = 0; i < _count; i++)
            {
                if (_isWaiter[i] && _entered[i] is SemaphoreObject semaphore)
                    wakeup.WatchEndOf(semaphore.HolderToWatch);
            }
        }

        /// <summary>Waits for one of the handles; the target that it is of, or -1.</summary>
        public int WaitForHandle(TimeSpan slice)
        {
            if (_handles.Length != _handleCount) _handles = new WaitHandle[_handleCount];
            Array.Copy(_found, _handles, _handleCount);
            int index = WaitHandle.WaitAny(_handles, (int)Math.Ceiling(slice.TotalMilliseconds));
            return index == WaitHandle.WaitTimeout ? -1 : _targetOf[index];
        }

        /// <summary>Leaves all.</summary>
        public void Leave()
        {
            for (int i = 0; i < _count; i++)
            {
                if (_entered[i] is not { } left) continue;
                if (_isWaiter[i]) left.RemoveWaiter();
                _isWaiter[i] = false;
                left.EndUse();
                _entered[i] = null;
            }

            Array.Clear(_found, 0, _handleCount);
            Array.Clear(_handles);
            _count = _handleCount = 0;
        }
    }
}
