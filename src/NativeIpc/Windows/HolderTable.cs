using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Errors;
using NativeIpc.Interop.Windows;
using NativeIpc.Keys;
using NativeIpc.Lifetime;

namespace NativeIpc.Windows;

/// <summary>
/// Which handle of this library holds a semaphore, in a section of its own beside the semaphore: <c>NAME_holder</c>.
/// One record about the semaphore, and one, a slot, for each handle that has it open. It lives as long as one of its
/// users; all zero is a valid beginning. See docs/windows.md.
/// </summary>
/// <remarks>
/// <para>A slot is alive while the mutex <c>NAME_holderN</c> is owned by a thread of its process
/// (<see cref="LifeThread"/>): the kernel's word, for whatever user, suspended or not. Process ids are kept for
/// diagnosis only: opening a process takes rights that another user does not have.</para>
/// <para>A thread that owns a dead slot's mutex for a moment is alone with the slot: nobody claims it meanwhile.</para>
/// </remarks>
internal sealed unsafe class HolderTable : IDisposable
{
    /// <summary>How many handles can be told apart.</summary>
    internal const int Slots = 255;

    internal const int Size = (Slots + 1) * RecordSize;
    internal const string Suffix = "_holder";

    private const int RecordSize = 64;
    private const long MagicNumber = 0x3152_4548_4350_494e; // "NIPCHER1"
    internal const int MarkBits = 8;

    private readonly NativeIpcKey _key;
    private readonly WindowsSecurity _security;
    private readonly SafeMemoryMappedFileHandle _section;
    private SafeWaitHandle? _life;
    private bool _keepsLife, _keepsSection;
    private nint _view;

    private HolderTable(in NativeIpcKey key, WindowsSecurity security, SafeMemoryMappedFileHandle section, nint view)
    {
        _key = key;
        _security = security;
        _section = section;
        _view = view;
    }

    /// <summary>About the semaphore.</summary>
    [StructLayout(LayoutKind.Explicit, Size = RecordSize)]
    internal struct Header
    {
        [FieldOffset(0)] internal long Magic;

        /// <summary>0, or a turn and the mark of its slot in the low 8 bits: the one that has taken the semaphore and
        /// not begun to give it back.</summary>
        [FieldOffset(8)] internal long Owner;

        /// <summary>How often it was taken.</summary>
        [FieldOffset(16)] internal long Turns;

        /// <summary>The mark of the slot that has stopped the others from taking and giving, in order to prove that
        /// nobody holds it; or 0.</summary>
        [FieldOffset(24)] internal int Gate;

        /// <summary>How often a slot was claimed.</summary>
        [FieldOffset(32)] internal long Claims;
    }

    /// <summary>About one handle.</summary>
    [StructLayout(LayoutKind.Explicit, Size = RecordSize)]
    internal struct Slot
    {
        /// <summary>0 for a slot that nobody has.</summary>
        [FieldOffset(0)] internal int ProcessId;

        /// <summary>How many threads may have the semaphore without being its owner, or the other way round: the
        /// intent, published before each operation.</summary>
        [FieldOffset(4)] internal int Busy;

        /// <summary><see cref="Header.Turns"/> when the semaphore had been opened.</summary>
        [FieldOffset(8)] internal long OpenedAt;

        /// <summary>Which claim it is, so that the next user of the slot is told from this one.</summary>
        [FieldOffset(16)] internal long Claim;
    }

    /// <summary>The slot of this handle, 1 and up; 0 before it is claimed.</summary>
    internal int Mark { get; private set; }

    internal ref Header Record => ref *(Header*)_view;

    internal ref Slot Own => ref SlotOf(Mark);

    internal ref Slot SlotOf(int mark) => ref *(Slot*)(_view + (mark * RecordSize));

    internal static int MarkOf(long owner) => (int)(owner & ((1 << MarkBits) - 1));

    /// <summary>The word that says that this slot has taken the semaphore now.</summary>
    internal long NextOwner() => (Interlocked.Increment(ref Record.Turns) << MarkBits) | (uint)Mark;

    /// <summary>The name of the section. A long one is cut and told apart by a hash, so that no two semaphores share a
    /// record.</summary>
    internal static NativeIpcKey KeyOf(in NativeIpcKey semaphore)
    {
        string name = semaphore.NativeKey.StartsWith(@"Local\", StringComparison.Ordinal)
            ? semaphore.NativeKey[6..] : semaphore.NativeKey;
        const int longest = NameRules.WindowsMaxPath - 1 - 7 - 3; // the suffix, and the number of a slot
        if (name.Length > longest)
        {
            string hash = Convert.ToHexStringLower(
                System.Security.Cryptography.SHA256.HashData(MemoryMarshal.AsBytes(name.AsSpan())).AsSpan(0, 16));
            name = $"{name[..(longest - hash.Length - 1)]}_{hash}";
        }

        return new NativeIpcKey(name + Suffix, NativeIpcKeyType.Windows);
    }

    /// <summary>The name of the mutex that lives as long as a slot of a semaphore's record does.</summary>
    internal static string LifeOf(in NativeIpcKey semaphore, int mark) => LifeName(KeyOf(semaphore), mark);

    /// <summary>Opens or makes the section, without mapping it.</summary>
    /// <exception cref="NativeIpcException">It cannot be had.</exception>
    internal static SafeMemoryMappedFileHandle OpenSection(in NativeIpcKey key, WindowsSecurity security)
    {
        const string attempt = "open the record of who holds the lock,";
        SafeMemoryMappedFileHandle section = WindowsSegments.OpenOrCreate(attempt, key, Size, security, out _);
        return section;
    }

    /// <summary>Opens or makes the record of a semaphore. The semaphore is open already.</summary>
    /// <exception cref="NativeIpcException">It cannot be had.</exception>
    internal static HolderTable Open(in NativeIpcKey semaphore, WindowsSecurity security)
    {
        const string attempt = "read the record of who holds the lock,";
        NativeIpcKey key = KeyOf(semaphore);
        SafeMemoryMappedFileHandle section = OpenSection(key, security);
        nint view = 0;
        try
        {
            view = Kernel32.MapViewOfFile(section, Kernel32.FILE_MAP_READ | Kernel32.FILE_MAP_WRITE, 0, 0, 0);
            if (view == 0) throw WindowsErrors.Map(attempt, key, "MapViewOfFile", Marshal.GetLastPInvokeError());
            if (Kernel32.VirtualQuery(view, out Kernel32.MEMORY_BASIC_INFORMATION region,
                (nuint)sizeof(Kernel32.MEMORY_BASIC_INFORMATION)) == 0)
                throw WindowsErrors.Map(attempt, key, "VirtualQuery", Marshal.GetLastPInvokeError());
            var table = new HolderTable(key, security, section, view);
            if (region.RegionSize < Size || region.State != Kernel32.MEM_COMMIT
                || Interlocked.CompareExchange(ref table.Record.Magic, MagicNumber, 0) is not (0 or MagicNumber))
                throw Failure.Found(NativeIpcError.KeyError, attempt, key, "VirtualQuery",
                    "the section under this name is something else", $"Do not use names that end with {Suffix}.");
            return table;
        }
        catch
        {
            if (view != 0) _ = Kernel32.UnmapViewOfFile(view);
            section.Dispose();
            throw;
        }
    }

    /// <summary>Takes a free slot; false when all are taken. The semaphore is open already.</summary>
    internal bool TryClaim()
    {
        long openedAt = Volatile.Read(ref Record.Turns);
        return LifeThread.Run(() =>
        {
            // Handles that begin at the same place would try one another's slots first.
            int start = Random.Shared.Next(Slots);
            for (int i = 0; i < Slots; i++)
            {
                int mark = 1 + ((start + i) % Slots);
                if (TryClaim(mark, openedAt)) return true;
            }

            return false;
        });
    }

    // On the thread that lives. The mutex must be new: one that is there is somebody's, perhaps of this very thread,
    // which would get it once more.
    private bool TryClaim(int mark, long openedAt)
    {
        SafeWaitHandle life = OpenLife(mark, Kernel32.CREATE_MUTEX_INITIAL_OWNER, out int number);

        // A mark that is left in the record proves that the slot's last user died holding; the slot stays as it is
        // until somebody has taken over.
        if (life.IsInvalid || number == Win32Error.ERROR_ALREADY_EXISTS
            || MarkOf(Volatile.Read(ref Record.Owner)) == mark)
        {
            if (!life.IsInvalid && number != Win32Error.ERROR_ALREADY_EXISTS) _ = Kernel32.ReleaseMutex(life);
            life.Dispose();
            return false;
        }

        StopPoint.At("windows.claim.owned");
        ref Slot slot = ref SlotOf(mark);
        Volatile.Write(ref slot.ProcessId, 0);
        Volatile.Write(ref slot.Claim, Interlocked.Increment(ref Record.Claims));
        Volatile.Write(ref slot.Busy, 0);
        Volatile.Write(ref slot.OpenedAt, openedAt);
        _ = Interlocked.CompareExchange(ref Record.Gate, 0, mark); // left by the slot's last user
        Interlocked.Exchange(ref slot.ProcessId, Environment.ProcessId);
        Mark = mark;
        _life = life;
        LifeThread.Owns();
        StopPoint.At("windows.claim.noted");
        return true;
    }

    /// <summary>Owns the mutex of a dead or free slot until <see cref="LetGo"/>, on the calling thread; null while the
    /// slot is alive, or when that cannot be told.</summary>
    internal SafeWaitHandle? TryOwn(int mark)
    {
        if (mark is < 1 or > Slots || mark == Mark) return null;
        SafeWaitHandle life = OpenLife(mark, 0, out _);
        if (!life.IsInvalid && Kernel32.WaitForSingleObject(life,
            0) is Kernel32.WAIT_OBJECT_0 or Kernel32.WAIT_ABANDONED)
            return life;
        life.Dispose();
        return null;
    }

    internal static void LetGo(SafeWaitHandle life)
    {
        _ = Kernel32.ReleaseMutex(life); // fails for no mutex that this thread owns
        life.Dispose();
    }

    /// <summary>Whether the slot's process lives; true when that cannot be told.</summary>
    internal bool IsAlive(int mark)
    {
        if (TryOwn(mark) is not { } life) return true;
        LetGo(life);
        return false;
    }

    /// <summary>
    /// Whether a dead owner had the very semaphore that is open here, and not an earlier one of the same name: somebody
    /// who lives had it open when the owner took it. A name leads to one object while anybody has that open.
    /// </summary>
    internal bool IsOfThisSemaphore(long owner)
    {
        long turn = owner >> MarkBits;
        if (Own.OpenedAt < turn) return true;
        for (int mark = 1; mark <= Slots; mark++)
        {
            ref Slot slot = ref SlotOf(mark);
            long claim = Volatile.Read(ref slot.Claim);
            if (Volatile.Read(ref slot.ProcessId) != 0 && Volatile.Read(ref slot.OpenedAt) < turn && IsAlive(mark)
                && Volatile.Read(ref slot.Claim) == claim)
                return true;
        }

        return false;
    }

    /// <summary>
    /// Whether all handles of the semaphore, in all processes, belong to slots that live. Slots are looked at before
    /// and after counting: one that is alive afterwards had its handle open meanwhile, since the threads of a process
    /// end before its handles are closed.
    /// </summary>
    internal bool AreAllHandlesOurs(SafeWaitHandle semaphore)
    {
        Span<long> claims = stackalloc long[Slots + 1];
        claims.Clear();
        for (int mark = 1; mark <= Slots; mark++)
        {
            ref Slot slot = ref SlotOf(mark);
            long claim = Volatile.Read(ref slot.Claim);
            if (IsTaken(ref slot) && IsAlive(mark) && IsTaken(ref slot) && Volatile.Read(ref slot.Claim) == claim)
                claims[mark] = claim;
        }

        if (Ntdll.NtQueryObject(semaphore, Ntdll.ObjectBasicInformation,
            out Ntdll.PUBLIC_OBJECT_BASIC_INFORMATION status,
            (uint)sizeof(Ntdll.PUBLIC_OBJECT_BASIC_INFORMATION), 0) < 0)
            return false; // no proof
        uint ours = 0;
        for (int mark = 1; mark <= Slots; mark++)
        {
            if (claims[mark] == 0) continue;
            ref Slot slot = ref SlotOf(mark);
            if (IsAlive(mark) && IsTaken(ref slot) && Volatile.Read(ref slot.Claim) == claims[mark]) ours++;
        }

        return ours == status.HandleCount;
    }

    /// <summary>Whether no living slot is between an announcement and its end.</summary>
    internal bool IsQuiet()
    {
        for (int mark = 1; mark <= Slots; mark++)
        {
            ref Slot slot = ref SlotOf(mark);
            if (IsTaken(ref slot) && Volatile.Read(ref slot.Busy) != 0 && IsAlive(mark)) return false;
        }

        return true;
    }

    /// <summary>Opens the gate that was closed by a process now dead.</summary>
    internal void OpenDeadGate()
    {
        int mark = Volatile.Read(ref Record.Gate);
        if (TryOwn(mark) is not { } life) return;
        _ = Interlocked.CompareExchange(ref Record.Gate, 0, mark);
        LetGo(life);
    }

    // A flat function, or the compiler takes the two reads around IsAlive for one.
    private static bool IsTaken(ref Slot slot) => Volatile.Read(ref slot.ProcessId) != 0;

    [SuppressMessage("Reliability", "CA2000", Justification = "The caller disposes it.")]
    private SafeWaitHandle OpenLife(int mark, uint flags, out int number)
    {
        using SecurityAttributes attributes = _security.Attributes();
        SafeWaitHandle life = Kernel32.CreateMutexExW(attributes, LifeName(_key, mark), flags, Kernel32.SYNCHRONIZE);
        number = Marshal.GetLastPInvokeError();
        return life;
    }

    private static string LifeName(in NativeIpcKey record, int mark)
        => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{record.NativeKey}{mark}");

    /// <summary>Keeps the handles from being closed by their finalizers, until <see cref="Dispose"/>.</summary>
    public void KeepHandles()
    {
        _section.DangerousAddRef(ref _keepsSection);
        _life?.DangerousAddRef(ref _keepsLife);
    }

    /// <summary>The slot first, then the record; the caller closes the semaphore last, so that its handle is never
    /// counted for a slot without one.</summary>
    public void Dispose()
    {
        if (_view == 0) return;
        if (Mark != 0 && MarkOf(Volatile.Read(ref Record.Owner)) != Mark) Volatile.Write(ref Own.ProcessId, 0);
        if (_life is not null)
        {
            _life.Dispose();
            if (_keepsLife) _life.DangerousRelease();
            LifeThread.HasClosed();
        }

        _ = Kernel32.UnmapViewOfFile(_view);
        _view = 0;
        _section.Dispose();
        if (_keepsSection) _section.DangerousRelease();
    }
}
