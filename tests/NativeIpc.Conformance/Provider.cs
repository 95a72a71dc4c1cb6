using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Platform;
using NativeIpc.Posix.Semaphores;
using NativeIpc.SystemV;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What the suite has to know of a back end: how to make keys, what it promises beyond the rest, and where the
/// system keeps its objects.</summary>
public abstract class Provider
{
    /// <summary>Set in a process that runs the plain POSIX calls, and in its peers.</summary>
    internal static bool IsPlainProcess { get; } = Environment.GetEnvironmentVariable("NATIVEIPC_PLAIN_POSIX") == "1";

    private static readonly bool s_isOldWine = WineVersion() is { } version
        && int.Parse(version.Split('.', '-')[0], System.Globalization.CultureInfo.InvariantCulture) < 10;

    public abstract NativeIpcKeyType Type { get; }

    /// <summary>Why the tests of this back end cannot run in this process, or null.</summary>
    public virtual string? WhyNot
        => IsPlainProcess ? "This process has NATIVEIPC_PLAIN_POSIX=1; only the plain POSIX tests run in it."
        : SharedMemory.IsKeyTypeSupported(Type) && SystemSemaphore.IsKeyTypeSupported(Type) ? null
        : $"Keys of type {Type} do not work on this system.";

    /// <summary>Objects outlive their processes, and Remove removes them.</summary>
    public virtual bool OutlivesProcesses => true;

    public bool IsSystemV => Type.IsSystemV;

    public bool IsPosix => Type == NativeIpcKeyType.PosixRealtime;

    /// <summary>A replaced or removed name is noticed: of a lock, and before removing.</summary>
    public virtual bool ComparesNames => true;

    /// <summary>The next holder learns that the last one was killed.</summary>
    public virtual bool Recovers => false;

    /// <summary>The count of a semaphore can be read.</summary>
    public virtual bool CountCanBeRead => true;

    /// <summary>The count of a live semaphore can be set.</summary>
    public virtual bool CountCanBeSet => true;

    public abstract int MaximumCount { get; }

    /// <summary>Sizes are rounded up to pages.</summary>
    public bool RoundsSizes => OperatingSystem.IsWindows() || OperatingSystem.IsMacOS();

    /// <summary>All that its tests can need.</summary>
    internal Needs Gives
        => (IsPosix ? Needs.Posix : 0)
        | (IsSystemV ? Needs.SystemV : 0)
        | (OperatingSystem.IsLinux() ? Needs.Linux : 0)
        | (OperatingSystem.IsWindows() ? 0 : Needs.Signals)
        | (OutlivesProcesses ? Needs.Leftovers : Needs.NoLeftovers)
        | (ComparesNames ? Needs.ComparedNames : 0)
        | (IsPosix && !ComparesNames ? 0 : Needs.LockModeBeyondUmask)
        | (CountCanBeSet ? Needs.SettableCount : Needs.FixedCount)
        | (MaximumCount < int.MaxValue ? Needs.SmallMaximum : 0)
        | (s_isOldWine ? 0 : Needs.Finalizers)
        | (Recovers ? Needs.Recovery : 0)
        | (Recovers && IsPosix && Libraries.IsGlibc ? Needs.GlibcSemaphores : 0)
        | (Recovers && (!IsPosix || Libraries.IsGlibc) ? Needs.RichSemaphores : 0);

    private static unsafe string? WineVersion()
        => OperatingSystem.IsWindows()
            && NativeLibrary.TryGetExport(NativeLibrary.Load("ntdll.dll"), "wine_get_version", out nint function)
            ? Marshal.PtrToStringUTF8(((delegate* unmanaged[Cdecl]<nint>)function)()) : null;

    internal abstract bool SegmentExists(in NativeIpcKey key);

    internal abstract bool SemaphoreExists(in NativeIpcKey key);

    /// <summary>Whether anything at all is left of a segment, its lock and a semaphore under one key.</summary>
    internal virtual bool AnythingExists(in NativeIpcKey key) => SegmentExists(key) || SemaphoreExists(key);

    internal bool LockExists(in NativeIpcKey key) => SemaphoreExists(LockKey(key));

    internal static NativeIpcKey LockKey(in NativeIpcKey key)
        => NameRules.LockKey(key, PlatformEnvironment.Current);

    /// <summary>Leaves a segment as a creator that died in the middle leaves it: POSIX without a size, System V a key
    /// file alone.</summary>
    internal abstract void MakeHalfCreatedSegment(in NativeIpcKey key);

    /// <summary>Does the rest of what such a creator would have done.</summary>
    internal abstract void FinishSegment(in NativeIpcKey key, int size);

    /// <summary>The file that a half-created segment consists of.</summary>
    internal abstract string FileOf(in NativeIpcKey key);

    /// <summary>The permission bits of a segment.</summary>
    internal abstract int ModeOf(in NativeIpcKey key);
}

public class PosixProvider : Provider
{
    public override NativeIpcKeyType Type => NativeIpcKeyType.PosixRealtime;

    public override int MaximumCount => OperatingSystem.IsMacOS() ? 32767 : int.MaxValue;

    public override bool ComparesNames => OperatingSystem.IsLinux();

    public override bool CountCanBeRead => !OperatingSystem.IsMacOS();

    public override bool Recovers => HeldSemaphore.IsOffered;

    internal override bool SegmentExists(in NativeIpcKey key) => Path.Exists(FileOf(key));

    internal override bool SemaphoreExists(in NativeIpcKey key) => File.Exists(SemaphoreFileOf(key));

    internal override void MakeHalfCreatedSegment(in NativeIpcKey key) => File.Create(FileOf(key)).Dispose();

    internal override void FinishSegment(in NativeIpcKey key, int size)
    {
        using FileStream file = File.OpenWrite(FileOf(key));
        file.SetLength(size);
    }

    internal override string FileOf(in NativeIpcKey key) => "/dev/shm/" + key.NativeKey.TrimStart('/');

    /// <summary>The file of a semaphore: glibc and musl have their own names for it.</summary>
    internal static string SemaphoreFileOf(in NativeIpcKey key)
        => (Libraries.IsGlibc ? "/dev/shm/sem." : "/dev/shm/") + key.NativeKey.TrimStart('/');

    /// <summary>The file of a segment's lock, which is the same with both.</summary>
    internal static string LockFileOf(in NativeIpcKey key) => SemaphoreFileOf(LockKey(key));

    internal override int ModeOf(in NativeIpcKey key)
        => OperatingSystem.IsWindows() ? 0 : (int)File.GetUnixFileMode(FileOf(key));
}

/// <summary>POSIX with only the calls that the standard has, as on Apple.</summary>
public sealed class PlainPosixProvider : PosixProvider
{
    public override string? WhyNot
        => !IsPlainProcess ? "These tests need a process of their own, with NATIVEIPC_PLAIN_POSIX=1 (README.md)."
        : SharedMemory.IsKeyTypeSupported(Type) ? null
        : "POSIX keys do not work on this system.";

    public override bool ComparesNames => false;

    public override bool Recovers => false;
}

public class SystemVProvider : Provider
{
    public override NativeIpcKeyType Type => NativeIpcKeyType.SystemV;

    public override int MaximumCount => 32767;

    public override bool Recovers => OperatingSystem.IsLinux();

    internal override bool SegmentExists(in NativeIpcKey key) => SegmentId(key) != -1;

    internal override bool SemaphoreExists(in NativeIpcKey key) => SemaphoreId(key) != -1;

    internal override bool AnythingExists(in NativeIpcKey key)
        => File.Exists(key.NativeKey) || base.AnythingExists(key);

    internal override void MakeHalfCreatedSegment(in NativeIpcKey key) => File.Create(key.NativeKey).Dispose();

    internal override void FinishSegment(in NativeIpcKey key, int size)
        => Assert.NotEqual(-1, Libc.shmget(Ftok(key), (nuint)size,
            Flags.IPC_CREAT | Flags.IPC_EXCL | (int)FileModes.Mode600));

    internal override string FileOf(in NativeIpcKey key) => key.NativeKey;

    internal override int ModeOf(in NativeIpcKey key)
    {
        Assert.Equal(0, SystemVSupport.Status(SegmentId(key),
            out SegmentStatus status));
        return (int)status.Mode & (int)FileModes.Mode777;
    }

    internal static int Ftok(in NativeIpcKey key) => Libc.ftok(key.NativeKey, (int)key.Type);

    /// <summary>Whether a file system gives each new file the next number.</summary>
    internal static bool CountsInodes(string folder)
        => NextInode(folder) is var first && NextInode(folder) - first is > 0 and < 4096;

    /// <summary>One test at a time counts inodes up.</summary>
    internal static readonly Lock s_inodes = new();

    /// <summary>Makes and deletes files until the next ones come close to the low 16 bits of a number.</summary>
    internal static void AdvanceInodes(string folder, ulong wanted)
    {
        for (int i = 0; i < 200_000; i++)
        {
            if (unchecked((ushort)(wanted - NextInode(folder))) is > 0 and <= 64) return;
        }

        Assert.Fail($"{folder} does not come to the number.");
    }

    private static ulong NextInode(string folder)
    {
        string path = Path.Combine(folder, NativeIpc.Testing.TestNames.NextName());
        using (File.Create(path)) Assert.Equal(0, Libc.Status(path, followLink: false, out s_probe));
        File.Delete(path);
        return s_probe.Identity.Inode;
    }

    private static FileStatus s_probe;

    internal static int SegmentId(in NativeIpcKey key)
        => Path.Exists(key.NativeKey) ? Libc.shmget(Ftok(key), 0, 0) : -1;

    internal static int SemaphoreId(in NativeIpcKey key)
        => Path.Exists(key.NativeKey) ? Libc.semget(Ftok(key), 0, 0) : -1;
}

/// <summary>System V with another project id than Qt's.</summary>
public sealed class SystemV84Provider : SystemVProvider
{
    public override NativeIpcKeyType Type => (NativeIpcKeyType)84;
}

public sealed class WindowsProvider : Provider
{
    public override NativeIpcKeyType Type => NativeIpcKeyType.Windows;

    public override bool OutlivesProcesses => false;

    public override bool ComparesNames => false;

    public override bool Recovers => true;

    public override bool CountCanBeRead => false;

    public override bool CountCanBeSet => false;

    public override int MaximumCount => int.MaxValue;

    internal override bool SegmentExists(in NativeIpcKey key)
    {
        bool exists = SharedMemory.TryOpenExisting(key, out SharedMemory? segment, SharedMemoryAccess.Read);
        segment?.Dispose();
        return exists;
    }

    internal override bool SemaphoreExists(in NativeIpcKey key)
    {
        bool exists = SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? semaphore);
        semaphore?.Dispose();
        return exists;
    }

    internal override void MakeHalfCreatedSegment(in NativeIpcKey key) => throw new NotSupportedException();

    internal override void FinishSegment(in NativeIpcKey key, int size) => throw new NotSupportedException();

    internal override string FileOf(in NativeIpcKey key) => throw new NotSupportedException();

    internal override int ModeOf(in NativeIpcKey key) => throw new NotSupportedException();
}
