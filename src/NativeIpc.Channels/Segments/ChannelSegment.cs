using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Channels.Interop;

namespace NativeIpc.Channels.Segments;

/// <summary>The segment of a channel: its first bytes, and a descriptor of its file for the locks of roles.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
internal sealed unsafe class ChannelSegment : IDisposable
{
    private static readonly TimeSpan s_slice = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_layoutPatience = TimeSpan.FromSeconds(1);

    private readonly SharedMemoryAccessScope _scope;
    private readonly SafeFileHandle? _file; // null: it may not be opened, and only reads; or Windows
    private readonly ChannelEvents? _events; // Windows
    private readonly int _project; // System V's id; 0 on POSIX
    private readonly Lock _gate = new();
    private readonly Lock _layoutGate = new();
    private int _users = 1; // its own
    private int _isDisposed;

    private ChannelSegment(SharedMemory memory, SharedMemoryAccessScope scope, SafeFileHandle? file,
        ChannelEvents? events)
    {
        Memory = memory;
        _events = events;
        _project = ProjectOf(memory.Key);
        _scope = scope;
        _file = file;
        Start = (byte*)scope.DangerousGetAddress();
    }

    public SharedMemory Memory { get; }

    /// <summary>The first byte. It stays mapped as long as a use lasts.</summary>
    public byte* Start { get; }

    /// <summary>What stands at <see cref="ChannelLayout.CapacityAt"/>, read once and proved to fit.</summary>
    public ulong Capacity { get; private set; }

    /// <summary>What stands at <see cref="ChannelLayout.SlotSizeAt"/>, read once and proved to fit.</summary>
    public ulong SlotSize { get; private set; }

    /// <summary>What stands at <see cref="ChannelLayout.KindAt"/>, read once.</summary>
    public ushort Kind { get; private set; }

    public bool CreatedNew { get; private set; }

    public bool IsDisposed => Volatile.Read(ref _isDisposed) != 0;

    public bool CanWrite => Memory.Access == SharedMemoryAccess.ReadWrite;

    /// <summary>What is to be made.</summary>
    internal readonly record struct Plan(ushort Kind, ulong Capacity, ulong SlotSize, string Name)
    {
        public long Size => ChannelLayout.HeaderSize + (long)(Capacity * Math.Max(1, SlotSize));

        /// <summary>Whether a channel of that kind will do: for who only opens, a ring of either form.</summary>
        public bool Takes(ushort kind)
            => kind == Kind || (Capacity == 0 && Kind == ChannelLayout.RingKind && kind == ChannelLayout.ManyRingKind
                && OperatingSystem.IsLinux());
    }

    public static ChannelSegment Create(NativeIpcKey key, in Plan plan, SharedMemoryOptions? options, bool mayExist)
    {
        Check(key, plan.Name);
        SharedMemory memory = mayExist ? SharedMemory.CreateOrOpen(key, plan.Size, options)
            : SharedMemory.CreateNew(key, plan.Size, options);
        return Take(memory, plan, options, isMaker: true);
    }

    public static ChannelSegment Open(NativeIpcKey key, ushort kind, string name, SharedMemoryAccess access,
        SharedMemoryOptions? options)
    {
        Check(key, name);
        return Take(SharedMemory.OpenExisting(key, access, options), new Plan(kind, 0, 0, name), options,
            isMaker: false);
    }

    public static ChannelSegment? TryOpen(NativeIpcKey key, ushort kind, string name, SharedMemoryAccess access,
        SharedMemoryOptions? options)
    {
        Check(key, name);
        return SharedMemory.TryOpenExisting(key, out SharedMemory? memory, access, options)
            ? Take(memory, new Plan(kind, 0, 0, name), options, isMaker: false) : null;
    }

    /// <summary>A word of the segment; what peers write there can be anything.</summary>
    public ref uint Word(int at) => ref *(uint*)(Start + at);

    public ref ulong LongWord(int at) => ref *(ulong*)(Start + at);

    /// <summary>Keeps the memory mapped; false when it is disposed.</summary>
    public bool TryBeginUse()
    {
        lock (_gate)
        {
            if (_users == 0 || IsDisposed) return false;
            _users++;
            return true;
        }
    }

    public void EndUse()
    {
        lock (_gate)
        {
            Debug.Assert(_users > 0);
            if (--_users > 0) return;
        }

        // The file first: a last one that asks the kernel whether others have it open must not be one itself
        _file?.Dispose();
        if (OperatingSystem.IsWindows()) _events?.Dispose();
        _scope.Dispose();
        Memory.Dispose();
    }

    public int TryLock(long at)
    {
        if (OperatingSystem.IsWindows()) return _events!.TryTake(at) ? 0 : RoleLocks.Taken;
        Debug.Assert(CanWrite && _file is not null);
        return _project == 0 ? RoleLocks.TryLock(_file, at) : RoleLocks.TryLockByLook(_file, Place(at));
    }

    public void Unlock(long at)
    {
        if (OperatingSystem.IsWindows()) _events!.GiveUp(at);
        else RoleLocks.Unlock(_file!, Place(at));
    }

    /// <summary>Whether nobody rings for this instance, which cannot set a bell: it looks from time to time.</summary>
    public bool IsSilent => !CanWrite;

    /// <summary>Whether the sleepers at a bell have events with a number: the readers of a topic on Windows.</summary>
    public bool HasWakes(int bell)
        => OperatingSystem.IsWindows() && Kind == ChannelLayout.TopicKind && bell == ChannelLayout.ReaderBellAt;

    /// <summary>Sleeps while a word has a value, until it is woken, or for a time. May end early.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public void Sleep(int at, uint expected, TimeSpan longest, CancellationToken cancellationToken = default)
    {
        if (OperatingSystem.IsLinux())
        {
            Memory.WaitOnWord(at, expected, longest, cancellationToken);
        }
        else if (OperatingSystem.IsWindows() && _events!.BellAt(at) is { } bell)
        {
            bell.Wait(longest, cancellationToken); // stays set when it was rung before
        }
        else if (Volatile.Read(ref Word(at)) == expected)
        {
            cancellationToken.WaitHandle.WaitOne(longest); // nobody rings: the caller looks again
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>The event that is set when a bell rings; null for what one looks at from time to time.</summary>
    [SupportedOSPlatform("windows")]
    public SystemEvent? BellAt(int at) => _events!.BellAt(at);

    /// <summary>Wakes those that sleep on a word, which has changed.</summary>
    public void Wake(int at, int count)
    {
        if (OperatingSystem.IsLinux()) Memory.WakeWord(at, count);
        else if (OperatingSystem.IsWindows() && HasWakes(at)) WakeNumbered();
        else if (OperatingSystem.IsWindows()) _events!.BellAt(at)?.Set();
    }

    /// <summary>The event at which readers of a topic sleep while the number is this one.</summary>
    [SupportedOSPlatform("windows")]
    public SystemEvent OpenWake(uint number) => _events!.OpenWake(number);

    [SupportedOSPlatform("windows")]
    private void WakeNumbered()
    {
        // R4 Race: a reader opens the event of the number before, and sleeps. Safe because: it reads the number again
        // behind that. Either it sees the new one, or the event is there by now, and this sets it.
        // R5 Race: one was killed between these two steps. Safe because: the next one sets the event before, too.
        uint number = Interlocked.Increment(ref Word(ChannelLayout.WakesAt)) - 1;
        _events!.Wake(number);
        _events.Wake(number - 1);
    }

    /// <summary>Whether another instance or process has the lock of one of some bytes.</summary>
    /// <exception cref="SharedChannelException">The system does not say.</exception>
    public bool IsLockedByOther(long at, int count = 1)
    {
        if (OperatingSystem.IsWindows()) return _events!.IsTakenByOther(at);
        if (_file is null) throw Refused(RoleLocks.NoRight);
        int number = RoleLocks.Look(_file, Place(at), count, out bool isLocked);
        return number == 0 ? isLocked : throw Refused(number);
    }

    /// <summary>Ends it; the memory stays until the last use has ended.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0) EndUse();
    }

    public SharedChannelException Damaged(string what)
        => new(SharedChannelError.Damaged, Memory.Key, $"The channel {Memory.Key} is damaged: {what}. A peer has "
            + "written what the layout does not allow. End its users, remove it, and make it anew.");

    /// <summary>Says which layout the messages have, or verifies what was said.</summary>
    public void UseLayout(in SharedLayoutInfo layout)
    {
        ulong found = Volatile.Read(ref LongWord(ChannelLayout.FingerprintAt));
        if (found == 0 && CanWrite) found = SayLayout(layout.Fingerprint);
        if (found == layout.Fingerprint) return;
        string said = found == 0 ? "no layout was said yet"
            : string.Create(CultureInfo.InvariantCulture, $"fingerprint {found:x16}");
        throw new SharedChannelException(SharedChannelError.OtherLayout, Key, string.Create(
            CultureInfo.InvariantCulture, $"The messages of {Key} have another layout than {layout.Name} of this ")
            + string.Create(CultureInfo.InvariantCulture, $"program: {said}, instead of {layout.Fingerprint:x16}. ")
            + "Build both programs with the same declarations.");
    }

    private ulong SayLayout(ulong fingerprint)
    {
        // Threads of this process share the lock below.
        lock (_layoutGate)
        {
            var until = new Until(s_layoutPatience);
            while (TryLock(ChannelLayout.MakingByte) is not 0 and int number)
            {
                if (!RoleLocks.IsTaken(number)) throw Refused(number);
                if (until.IsOver)
                    throw new SharedChannelException(SharedChannelError.HalfMade, Key, $"Cannot say which layout {Key} "
                        + "has: another process is at that, and stopped. Continue it (kill -CONT) or end it.");
                Sleep(ChannelLayout.FingerprintAt, 0, until.Slice(s_slice));
            }

            try
            {
                // R3 Race: another one says it meanwhile. Safe because: all languages have this lock when they do.
                ref ulong word = ref LongWord(ChannelLayout.FingerprintAt);
                ulong found = Volatile.Read(ref word);
                if (found == 0) Volatile.Write(ref word, found = fingerprint);
                return found;
            }
            finally
            {
                Unlock(ChannelLayout.MakingByte);
            }
        }
    }

    /// <summary>Proves what a new writer or reader of a ring finds.</summary>
    public void CheckPositions(ulong head, ulong tail)
    {
        // No ring comes to 2^63: below it, no sum of these with a length or a capacity goes round.
        if (head % 8 != 0 || tail % 8 != 0 || tail - head > Capacity || ((head | tail) >> 63) != 0)
            throw Damaged($"head {head}, tail {tail}");
    }

    private static void Check(in NativeIpcKey key, string name)
    {
        bool isSupported = OperatingSystem.IsWindows() ? key.Type == NativeIpcKeyType.Windows
            : OperatingSystem.IsLinux() && (key.Type == NativeIpcKeyType.PosixRealtime || key.Type.IsSystemV);
        if (!isSupported)
            throw new PlatformNotSupportedException($"Cannot open the {name} {key}: channels need Linux and a key of "
                + "the type posix or systemv, or Windows and a key of the type windows.");
    }

    private static int ProjectOf(in NativeIpcKey key) => key.Type.IsSystemV ? (int)key.Type : 0;

    // Segments of several project ids may stand under one key file.
    private long Place(long at) => at + ((long)_project << ChannelLayout.ProjectShift);

    private static ChannelSegment Take(SharedMemory memory, in Plan plan, SharedMemoryOptions? options, bool isMaker)
    {
        SharedMemoryAccessScope? scope = null;
        SafeFileHandle? file = null;
        ChannelEvents? events = null;
        ChannelSegment? taken = null;
        try
        {
            if (memory.Size < ChannelLayout.HeaderSize) throw OtherContent(memory, plan.Name, "it is too small");
            scope = memory.BeginAccess();
            if (OperatingSystem.IsWindows())
                events = new ChannelEvents(memory.Key, options, plan.Kind == ChannelLayout.RingKind);
            else
                file = OpenFile(memory);
            taken = new ChannelSegment(memory, scope, file, events);
            taken.MakeOrAwait(plan, options?.PeerTimeout ?? TimeSpan.FromSeconds(1), isMaker);
            taken.ReadHeader(plan);
            return taken;
        }
        catch
        {
            if (taken is not null)
            {
                taken.Dispose();
            }
            else
            {
                file?.Dispose();
                if (OperatingSystem.IsWindows()) events?.Dispose();
                scope?.Dispose();
                memory.Dispose();
            }

            throw;
        }
    }

    private static string PathOf(in NativeIpcKey key)
        => ProjectOf(key) != 0 ? key.NativeKey : "/dev/shm/" + key.NativeKey.TrimStart('/');

    private static SafeFileHandle? OpenFile(SharedMemory memory)
    {
        bool isSystemV = ProjectOf(memory.Key) != 0, isWriter = memory.Access == SharedMemoryAccess.ReadWrite;

        // Whoever may write a System V segment may read its key file, and not more (docs/security-systemv.md).
        SafeFileHandle? file = RoleLocks.Open(PathOf(memory.Key), isWriter && !isSystemV, out int number, isSystemV);
        if (file is null && isSystemV && !isWriter && RoleLocks.IsTaken(number)) return null;

        // R1 Race: the name is given to another segment between the mapping and this. Safe because: the core compares
        // the mapped one with what has the name now, after the file was opened.
        if (file is not null && !memory.WasReplaced) return file;
        file?.Dispose();
        if (number != 0 && !RoleLocks.IsGone(number))
            throw new SharedChannelException(SharedChannelError.Unknown, memory.Key, $"Cannot open the channel "
                + $"{memory.Key}: a descriptor of {PathOf(memory.Key)} for the locks of roles is refused, error "
                + $"{number}. Who is to write to a channel of System V has to be able to read its key file.");
        throw new SharedChannelException(SharedChannelError.HalfMade, memory.Key,
            $"Cannot open the channel {memory.Key}: its segment lost its name meanwhile. Open it again.");
    }

    private void MakeOrAwait(in Plan plan, TimeSpan patience, bool isMaker)
    {
        var until = new Until(patience);
        bool isLast = false;
        while (Volatile.Read(ref LongWord(0)) == 0)
        {
            if (isMaker && CanWrite)
            {
                int number = TryLock(ChannelLayout.MakingByte);
                if (number == 0)
                {
                    Make(plan);
                    return;
                }

                if (!RoleLocks.IsTaken(number)) throw Refused(number);
            }

            if (isLast)
                throw new SharedChannelException(SharedChannelError.HalfMade, Memory.Key,
                    $"Cannot open the {plan.Name} {Memory.Key}: it is half made. Its maker was killed at it, is "
                        + "stopped, or made a segment of its own of this name. Remove it, or make it by CreateOrOpen.");
            Sleep(0, 0, until.Slice(s_slice));
            isLast = until.IsOver;
        }
    }

    public NativeIpcKey Key => Memory.Key;

    public IOException Refused(int number)
        => new SharedChannelException(SharedChannelError.Unknown, Key,
            $"Cannot tell who has a role of the channel {Key}: fcntl says error {number}. The system needs locks of "
                + "open file descriptions (F_OFD_SETLK, Linux 3.15), and a sandbox has to allow them.");

    private void Make(in Plan plan)
    {
        try
        {
            // R2 Race: another maker was faster. Safe because: the lock is taken; the magic is looked at inside it.
            if (Volatile.Read(ref LongWord(0)) != 0) return;
            ChannelStop.At("channel.make.locked");
            *(ushort*)(Start + ChannelLayout.VersionAt) = ChannelLayout.Version;
            *(ushort*)(Start + ChannelLayout.KindAt) = plan.Kind;
            Word(ChannelLayout.HeaderSizeAt) = ChannelLayout.HeaderSize;
            LongWord(ChannelLayout.CapacityAt) = plan.Capacity;
            LongWord(ChannelLayout.SlotSizeAt) = plan.SlotSize;
            ReadKeyFile(out LongWord(ChannelLayout.DeviceAt), out LongWord(ChannelLayout.InodeAt));
            ChannelStop.At("channel.make.written");
            Volatile.Write(ref LongWord(0), ChannelLayout.Magic);
            CreatedNew = true;
        }
        finally
        {
            Unlock(ChannelLayout.MakingByte);
        }
    }

    private void ReadHeader(in Plan plan)
    {
        if (Volatile.Read(ref LongWord(0)) != ChannelLayout.Magic)
            throw OtherContent(Memory, plan.Name, "its first bytes are not those of a channel");
        ushort version = *(ushort*)(Start + ChannelLayout.VersionAt), kind = *(ushort*)(Start + ChannelLayout.KindAt);
        if (version != ChannelLayout.Version || Word(ChannelLayout.HeaderSizeAt) != ChannelLayout.HeaderSize)
            throw OtherContent(Memory, plan.Name, $"it is of version {version}, not {ChannelLayout.Version}");
        if (!plan.Takes(kind)) throw OtherContent(Memory, plan.Name, $"it is of kind {kind}, not {plan.Kind}");
        ReadKeyFile(out ulong device, out ulong inode);

        // Two key files can have one key of System V (ftok(3)): then roles would be locked twice.
        if (_project != 0 && (device, inode)
            != (LongWord(ChannelLayout.DeviceAt), LongWord(ChannelLayout.InodeAt)))
        {
            throw OtherContent(Memory, plan.Name, "it was made under another key file of the same System V key");
        }

        ulong capacity = LongWord(ChannelLayout.CapacityAt), slot = LongWord(ChannelLayout.SlotSizeAt);
        ulong room = (ulong)Memory.Size - ChannelLayout.HeaderSize;
        bool fits = kind is ChannelLayout.RingKind or ChannelLayout.ManyRingKind
            ? capacity is >= ChannelLayout.SmallestCapacity and <= ChannelLayout.LargestCapacity && slot == 0
                && capacity <= room
            : capacity is >= ChannelLayout.SmallestHistory and <= ChannelLayout.LargestHistory
                && slot is >= 2 * ChannelLayout.SlotHeader and <= ChannelLayout.LargestSlot
                && slot % ChannelLayout.SlotHeader == 0 && slot <= room / capacity;
        if (!fits || !ulong.IsPow2(capacity)) throw Damaged("its size does not fit the segment");
        if (plan.Capacity != 0 && (capacity < plan.Capacity || slot < plan.SlotSize))
            throw OtherContent(Memory, plan.Name, "it is smaller than was asked for");
        Kind = kind;
        Capacity = capacity;
        SlotSize = slot;
    }

    private void ReadKeyFile(out ulong device, out ulong inode)
    {
        device = inode = 0;
        if (_project == 0) return;
        int number = FileNumbers.Read(_file, PathOf(Key), out device, out inode);
        if (number != 0)
            throw new SharedChannelException(SharedChannelError.Unknown, Key, $"Cannot open the channel {Key}: statx "
                + $"of its key file says error {number}.");
    }

    private static SharedChannelException OtherContent(SharedMemory memory, string name, string why)
        => new(SharedChannelError.OtherContent, memory.Key, $"Cannot open the {name} {memory.Key}: {why}. Remove it if "
            + "it is a leftover, or use another name.");
}
