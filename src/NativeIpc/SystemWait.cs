using System.Diagnostics;
using NativeIpc.Contracts;
using NativeIpc.Waiting;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc;

/// <summary>
/// Waits for any of several objects: takes exactly one, and tells which. Semaphores (a permit of which is taken) and
/// locks of segments, of all key types, mixed.
/// </summary>
/// <remarks>
/// <para>Where several are ready, the one with the lowest index is taken; the objects behind it are not looked at. The
/// lock, or the permit of a <see cref="SystemSemaphoreOptions.Robust"/> semaphore, whose holder was killed is taken
/// over as by other waits: when nothing else is ready, and before the thread sleeps.</para>
/// <para>What is taken is as if by <see cref="SystemSemaphore.Acquire()"/> or <see cref="SharedMemory.Lock()"/>: a
/// permit is given back by <see cref="SystemSemaphore.Release(int)"/>, a lock by disposing
/// <see cref="SystemWaitResult.Lock"/>.</para>
/// <para>POSIX objects with glibc on Linux 5.16 and newer share one sleep (<c>futex_waitv(2)</c>), up to 127 of them.
/// So do semaphores on Windows, up to 64, where nothing else is waited for. Others are looked at in between, every 1 to
/// 20 ms: docs/waiting.md.</para>
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
        SystemWaitResult taken = default;
        var waiting = new AnyOf(targets, ref taken);
        if (!waiting.TryAcquireFast()) _ = Waiter.Acquire(waiting, deadline, cancellationToken);
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

    /// <summary>A wait for several, with nothing of its own on the heap.</summary>
    private readonly ref struct AnyOf(ReadOnlySpan<SystemWaitTarget> targets, ref SystemWaitResult taken)
        : IAcquirable
    {
        private static readonly TimeSpan s_moment = TimeSpan.FromMilliseconds(20);

        [ThreadStatic]
        private static Members? t_members;

        [ThreadStatic]
        private static SpinState t_spin;

        private readonly ReadOnlySpan<SystemWaitTarget> _targets = targets;
        private readonly ref SystemWaitResult _taken = ref taken;

        private ref readonly SystemWaitTarget Told => ref _targets[Math.Max(_taken.Index, 0)];

        public NativeIpcKey Key => Told.Key;

        public IpcObjectKind Kind => Told.Kind;

        public ref SpinState Spin => ref t_spin;

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
        public bool TryAcquireFast()
        {
            for (int i = 0; i < _targets.Length; i++)
            {
                ref readonly SystemWaitTarget target = ref _targets[i];
                if (target.IsSeenEmpty || !target.TryTake(looks: false, out SharedMemoryLock scope, out _)) continue;
                _taken = new SystemWaitResult(i, scope);
                return true;
            }

            return false;
        }

        /// <summary>Takes the first one that is ready.</summary>
        /// <param name="looks">Whether dead holders are looked for.</param>
        /// <param name="heldUp">One that another try after a moment may say more of; -1 for none.</param>
        private bool TryTake(bool looks, out int heldUp)
        {
            heldUp = -1;
            for (int i = 0; i < _targets.Length; i++)
            {
                if (_targets[i].TryTake(looks, out SharedMemoryLock scope, out bool isHeldUp))
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
            Members members = t_members ?? new Members();
            t_members = null; // a wait inside this one, of a handler, has its own
            wakeup.BeginWords();
            try
            {
                TimeSpan slice = Join(members, wakeup);
                if (TryTake(looks: true, out int heldUp)) return true;
                if (heldUp >= 0)
                {
                    _targets[heldUp].AwaitMoment();
                    slice = wakeup.NextPoll();
                }

                if (longest < slice) slice = longest;
                members.WatchHolders(wakeup);
                if (members.WaitsForHandles) return TryWaitForHandle(members, slice);
                if (members.Only is { } only) return TryBlockIn(only, slice, wakeup);
                wakeup.SleepOnWords(slice);
                return TryAcquireFast();
            }
            finally
            {
                wakeup.EndWords();
                members.Leave();
                t_members = members;
            }
        }

        /// <summary>Joins the waiters of each object. The longest sleep that is possible then.</summary>
        private TimeSpan Join(Members members, Wakeup wakeup)
        {
            bool polls = false;
            bool looks = false;
            for (int i = 0; i < _targets.Length; i++)
            {
                if (_targets[i].TryBeginUse() is not { } used)
                {
                    polls = true;
                    continue;
                }

                members.Add(used, i);
                if (used.WaitWord is not 0 and nint word && wakeup.TryAddWord(word, 0))
                {
                    members.AddWaiter(); // a full barrier
                    looks |= used.NeedsLooks || _targets[i].Kind == IpcObjectKind.SharedMemory;
                }
                else if (!members.TryAddHandle())
                {
                    polls = true;
                    used.AwaitReady(s_moment, wakeup);
                }
            }

            if (members.IsOnlyOne && polls && _targets is [{ Kind: IpcObjectKind.SystemSemaphore }])
            {
                members.Only = members.First;
                return Wakeup.LongestSlice;
            }

            return polls ? wakeup.NextPoll() : looks ? wakeup.NextSlice()
                : members.WaitsForHandles ? Wakeup.LongestSlice : TimeSpan.MaxValue;
        }

        private bool TryBlockIn(SemaphoreObject only, TimeSpan slice, Wakeup wakeup)
        {
            if (!only.Block(slice, wakeup)) return false;
            _taken = new SystemWaitResult(0, default);
            return true;
        }

        /// <summary>Waits as the system does: the wait itself takes the permit.</summary>
        private bool TryWaitForHandle(Members members, TimeSpan slice)
        {
            int index = members.WaitForHandle(slice);
            if (index < 0) return TryAcquireFast();
            _taken = new SystemWaitResult(index, default);
            return true;
        }
    }

    /// <summary>What a thread has joined: the semaphores that it has entered, those of which it is a waiter, and the
    /// handles that the system waits for. One for each thread, used again and again.</summary>
    private sealed class Members
    {
        private const int MostHandles = 64; // MAXIMUM_WAIT_OBJECTS

        private SemaphoreObject?[] _entered = [];
        private bool[] _isWaiter = [];
        private int _count;
        private WaitHandle[] _handles = []; // as long as there are handles, since the call takes all of an array
        private readonly WaitHandle?[] _found = new WaitHandle?[OperatingSystem.IsWindows() ? MostHandles : 0];
        private readonly int[] _targetOf = new int[OperatingSystem.IsWindows() ? MostHandles : 0];
        private int _lastTarget;
        private int _handleCount;

        public bool IsOnlyOne => _count == 1;

        public SemaphoreObject First => _entered[0]!;

        /// <summary>The only one, if it can wait for itself.</summary>
        public SemaphoreObject? Only { get; set; }

        public bool WaitsForHandles => _handleCount > 0;

        /// <summary>Notes a semaphore that was entered.</summary>
        public void Add(SemaphoreObject entered, int target)
        {
            if (_count == _entered.Length)
            {
                Array.Resize(ref _entered, Math.Max(16, _count * 2));
                Array.Resize(ref _isWaiter, _entered.Length);
            }

            _isWaiter[_count] = false;
            _entered[_count++] = entered;
            _lastTarget = target;
        }

        /// <summary>Adds the caller to the waiters of the last one.</summary>
        public void AddWaiter()
        {
            _entered[_count - 1]!.AddWaiter();
            _isWaiter[_count - 1] = true;
        }

        /// <summary>Adds the handle of the last one; false when it has none, or there are too many.</summary>
        public bool TryAddHandle()
        {
            if (_entered[_count - 1]!.WaitHandle is not { } handle || _handleCount == _found.Length) return false;
            if (Array.IndexOf(_found, handle, 0, _handleCount) >= 0) return true; // the same object twice
            _targetOf[_handleCount] = _lastTarget;
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
                if (_isWaiter[i]) wakeup.WatchEndOf(_entered[i]!.HolderToWatch);
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
                SemaphoreObject left = _entered[i]!;
                if (_isWaiter[i]) left.RemoveWaiter();
                left.EndUse();
            }

            Array.Clear(_entered, 0, _count);
            Array.Clear(_found, 0, _handleCount);
            Array.Clear(_handles);
            _count = _handleCount = 0;
            Only = null;
        }
    }
}
