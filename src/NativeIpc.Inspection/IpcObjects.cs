using System.Runtime.CompilerServices;
using System.Runtime.Versioning;
using NativeIpc.Errors;
using NativeIpc.Inspection.Looks;
using NativeIpc.Selection;

namespace NativeIpc.Inspection;

/// <summary>
/// The IPC objects of this machine: lists, inspects, watches, diagnoses and removes segments, semaphores and events of
/// every back end, whoever made them, in whatever language.
/// </summary>
/// <remarks>
/// <para>Linux lists POSIX objects (<c>/dev/shm</c>) and System V objects (<c>/proc/sysvipc</c>) of this process's
/// namespaces; Windows lists the sections, semaphores and events of this session and those under <c>Global\</c>
/// (<c>NtQueryDirectoryObject</c>). Elsewhere the system has no list of POSIX objects; what cannot be listed is said in
/// <see cref="IpcSnapshot.Notes"/>.</para>
/// <para>Windows tells kind, name, size, count, owner and the number of handles, to whom the object's access control
/// list lets ask. It does not tell which processes have an object open, when it was made, nor by whom, and it has no
/// modes. Nothing is ever unused, orphaned or removed there: an object goes with its last handle.</para>
/// <para>Looking never waits for a lock, a FIFO or a device, never creates and never changes anything. An object that
/// goes meanwhile is left out; what cannot be read of one does not end the enumeration: see
/// <see cref="IpcObjectInfo.Unreadable"/>. On Windows every look opens a handle for some microseconds, and an object
/// whose last user lets go meanwhile lives on for as long.</para>
/// <para>Thread safety: every member may be called from any thread at any time.</para>
/// </remarks>
public static class IpcObjects
{
    /// <summary>Whether the objects of a back end can be listed on this system.</summary>
    /// <param name="type">The key type; any System V type stands for all of them.</param>
    /// <returns>True when <see cref="Enumerate"/> lists them.</returns>
    public static bool CanEnumerate(NativeIpcKeyType type)
        => Catalogs.All.Any(catalog => catalog.Handles(type) && catalog.WhyNotListed() is null);

    /// <summary>Lists the segments, semaphores and events of the machine.</summary>
    /// <param name="options">What to look for, and how closely; null for everything.</param>
    /// <returns>The objects, and what could not be seen.</returns>
    /// <exception cref="NativeIpcException">OutOfResources: a file could not be opened for want of a descriptor, and
    /// what it tells would be left out.</exception>
    public static IpcSnapshot Enumerate(IpcEnumerationOptions? options = null)
        => WholeLook.Take(Looking, () => new Census(CopyOf(options)).Take(Catalogs.All));

    private const string Looking = "look at the objects of this machine";

    /// <summary>Looks at the one object that a key leads to.</summary>
    /// <param name="key">The key.</param>
    /// <param name="kind">Segment, semaphore or event: one key may lead to one of each.</param>
    /// <returns>The object; null when there is none.</returns>
    /// <exception cref="NativeIpcException">KeyError for a key that cannot work here; PermissionDenied when this user
    /// may not look into the folder of the object or its key file, so that it cannot be told whether there is
    /// one; OutOfResources as <see cref="Enumerate"/>.</exception>
    /// <exception cref="PlatformNotSupportedException">This system does not let objects of this type be looked at; see
    /// <see cref="CanEnumerate"/>.</exception>
    [UnsupportedOSPlatform("macos")]
    public static IpcObjectInfo? Inspect(NativeIpcKey key, IpcObjectKind kind)
    {
        const string attempt = Census.Inspecting;
        if (kind == IpcObjectKind.SharedMemory) Selector.ForSegment(attempt, key);
        else if (kind == IpcObjectKind.SystemSemaphore) Selector.ForSemaphore(attempt, key);
        else Selector.ForEvent(attempt, key);
        IObjectCatalog catalog = Catalogs.Of(key.Type);
        if (catalog.WhyNotListed() is { } reason)
            throw new PlatformNotSupportedException($"Cannot {attempt} {Failure.Describe(key)}: {reason}");
        var options = new IpcEnumerationOptions { Kind = kind, Type = key.Type, FindLostPermits = true,
            FindUses = true, FindSigns = true };
        IpcSnapshot taken = WholeLook.Take($"{attempt} {Failure.Describe(key)}",
            () => new Census(options, key).Take(Catalogs.All));
        return taken.Objects is [var found, ..] ? found : null;
    }

    /// <summary>Tells what happens to the objects of the machine: first what is there, then each change, until it is
    /// cancelled.</summary>
    /// <param name="interval">How long to wait between two looks; more than zero. Each costs what
    /// <see cref="Enumerate"/> does, on the thread pool.</param>
    /// <param name="options">What to look for, and how closely; null for everything.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The changes, as long as they are asked for. What came and went between two looks is not seen.</returns>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="interval"/> is not a positive time.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    /// <exception cref="NativeIpcException">As <see cref="Enumerate"/>.</exception>
    public static IAsyncEnumerable<IpcObjectChange> WatchAsync(TimeSpan interval, IpcEnumerationOptions? options = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(interval, TimeSpan.Zero);
        return Watch(interval, CopyOf(options), cancellationToken);
    }

    // Options can be changed: what is changed after a call has begun is no part of it.
    private static IpcEnumerationOptions CopyOf(IpcEnumerationOptions? options)
        => options is null ? IpcEnumerationOptions.s_default : options with { };

    /// <summary>Says what is wrong with the IPC objects of this machine and how to mend it; the worst first.</summary>
    /// <param name="options">Which objects to look at, and where else to look for key files; null for everything. What
    /// is wrong with the machine is in the answer whatever they say.</param>
    /// <returns>The findings.</returns>
    /// <exception cref="NativeIpcException">As <see cref="Enumerate"/>.</exception>
    public static IReadOnlyList<IpcFinding> Diagnose(IpcEnumerationOptions? options = null)
    {
        IpcEnumerationOptions chosen = CopyOf(options) with { FindLostPermits = true };
        return WholeLook.Take(Looking, () =>
        {
            var diagnosis = new Diagnosis(new Census(chosen).Take(Catalogs.All), chosen.KeyFileFolders);
            foreach (IObjectCatalog catalog in Catalogs.All) catalog.Diagnose(diagnosis);
            diagnosis.Examine();
            return diagnosis.Findings();
        });
    }

    /// <summary>Mends what was found, if that is safe (<see cref="IpcFinding.IsSafeToFix"/>) and still so: gives back
    /// permits that nobody holds. What may be as its maker wants it (an empty file, a set of zeros, an object that
    /// nobody uses now) is never removed here.</summary>
    /// <param name="finding">What <see cref="Diagnose"/> said.</param>
    /// <returns>True when it was mended; false when it is not safe, or not so any more.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="finding"/> is null.</exception>
    /// <exception cref="NativeIpcException">As <see cref="TryRemoveUnused"/>; LockError where the file has no record
    /// locks.</exception>
    public static bool TryMend(IpcFinding finding)
    {
        ArgumentNullException.ThrowIfNull(finding);
        if (finding is not { IsSafeToFix: true, Subject: { } subject }) return false;
        return finding.Kind == IpcFindingKind.LostPermit
            ? Catalogs.Of(subject.Type).ReturnLostPermits(subject) > 0
            : !OperatingSystem.IsWindows() && TryRemoveUnused(subject);
    }

    /// <summary>The limits that the system sets to IPC objects, and how much of each is used.</summary>
    /// <returns>The limits that the system tells; empty where it tells none.</returns>
    /// <exception cref="NativeIpcException">As <see cref="Enumerate"/>.</exception>
    public static IReadOnlyList<IpcLimit> GetLimits() => WholeLook.Take<IReadOnlyList<IpcLimit>>(
        "read the limits of this machine", () => [.. Catalogs.All.SelectMany(catalog => catalog.Limits())]);

    /// <summary>Removes an object that was listed, unless somebody uses it or its name leads to another one by now. For
    /// leftovers of a crash.</summary>
    /// <remarks>POSIX: under a lease, which the kernel gives only while no other process has the file open or mapped,
    /// so nobody can come in between. System V segments: nobody is attached; a program that attaches at this very
    /// moment keeps the memory and loses the name. System V semaphores: the kernel does not say who uses a set, so only
    /// what this library recorded as the lock of a segment that is gone or that nobody uses is removed, if nobody waits
    /// for it and the process that used it last is dead. The lock of a segment is an object of its own and stays, with
    /// System V also the key file, until it is removed itself.</remarks>
    /// <param name="found">The object, as it was listed.</param>
    /// <returns>True when it was removed; false when it is in use, gone, or another one, a System V semaphore of which
    /// that cannot be told, or a file in a folder of <c>/dev/shm</c>
    /// (<see cref="IpcObjectTraits.InSubfolder"/>).</returns>
    /// <exception cref="ArgumentNullException"><paramref name="found"/> is null.</exception>
    /// <exception cref="PlatformNotSupportedException">On Windows, where the system removes an object with its last
    /// handle.</exception>
    /// <exception cref="NativeIpcException">PermissionDenied: the kernel tells only its owner and root whether it is
    /// used; LockError when that cannot be told since another process keeps a lock on its file, or
    /// when others keep making and removing it.</exception>
    [UnsupportedOSPlatform("windows")]
    public static bool TryRemoveUnused(IpcObjectInfo found)
    {
        ArgumentNullException.ThrowIfNull(found);
        Removal removal = Catalogs.Of(found.Type).RemoveUnused(found);
        return removal.Failure is { } failure ? throw failure : removal.Outcome == IpcRemovalOutcome.Removed;
    }

    /// <summary>The same as <see cref="TryRemoveUnused"/>, with an answer of its own for what the system does not
    /// tell.</summary>
    /// <param name="found">The object, as it was listed.</param>
    /// <param name="reason">Why it stays, in a sentence; null where the outcome says it all.</param>
    /// <returns>What became of it; CannotTell also of a file in a folder of <c>/dev/shm</c>
    /// (<see cref="IpcObjectTraits.InSubfolder"/>), which is never removed here.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="found"/> is null.</exception>
    /// <exception cref="PlatformNotSupportedException">On Windows, where the system removes an object with its last
    /// handle.</exception>
    /// <exception cref="NativeIpcException">PermissionDenied: nobody uses it, and this user may not remove it;
    /// OutOfResources: no descriptor or no memory is left to ask.</exception>
    [UnsupportedOSPlatform("windows")]
    public static IpcRemovalOutcome RemoveUnused(IpcObjectInfo found, out string? reason)
    {
        ArgumentNullException.ThrowIfNull(found);
        Removal removal = Catalogs.Of(found.Type).RemoveUnused(found);
        reason = removal.Reason ?? removal.Failure?.Message;
        return removal.Outcome;
    }

    /// <summary>Asks whether somebody uses an object that was listed, as closely as <see cref="RemoveUnused"/> does,
    /// and removes nothing: for a caller that removes several objects together or none.</summary>
    /// <remarks>POSIX: by a lease (<c>fcntl(2)</c>, F_SETLEASE) for some microseconds, in which a process that opens
    /// the object waits, or fails with EAGAIN (musl). The answer holds for that moment.</remarks>
    /// <param name="found">The object, as it was listed.</param>
    /// <param name="reason">What speaks for the answer, in a sentence; null where the answer says it all.</param>
    /// <returns>True when somebody uses it; false when nobody does, or it is gone, or another one; null where the
    /// system does not tell.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="found"/> is null.</exception>
    /// <exception cref="NativeIpcException">PermissionDenied: the kernel tells only its owner and root, and this user
    /// may not remove it either.</exception>
    public static bool? AskInUse(IpcObjectInfo found, out string? reason)
    {
        ArgumentNullException.ThrowIfNull(found);
        Removal answer = Catalogs.Of(found.Type).AskUse(found);
        reason = answer.Reason ?? answer.Failure?.Message;
        return answer.Outcome switch
        {
            IpcRemovalOutcome.InUse => true,
            IpcRemovalOutcome.CannotTell => null,
            _ => false,
        };
    }

    /// <summary>Removes an object that was listed, also one that no key leads to, whatever its use, unless its name
    /// leads to another one by now. Its users go on; newcomers do not find it.</summary>
    /// <param name="found">The object, as it was listed.</param>
    /// <returns>True when it was removed; false when it is gone, or another one.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="found"/> is null.</exception>
    /// <exception cref="PlatformNotSupportedException">On Windows, where the system removes an object with its last
    /// handle.</exception>
    /// <exception cref="NativeIpcException">PermissionDenied; LockError when others keep making and removing it;
    /// KeyError for a file in a folder of <c>/dev/shm</c> (<see cref="IpcObjectTraits.InSubfolder"/>), to which no key
    /// leads.</exception>
    [UnsupportedOSPlatform("windows")]
    public static bool Remove(IpcObjectInfo found)
    {
        ArgumentNullException.ThrowIfNull(found);
        return Catalogs.Of(found.Type).Remove(found);
    }

    /// <summary>Reads bytes of a segment that was listed, also of one that no key leads to. Nothing is mapped for
    /// longer than the call, and nobody is kept out.</summary>
    /// <remarks>POSIX: by <c>pread(2)</c>, so that a segment that is cut meanwhile gives fewer bytes. System V:
    /// attached read-only for the call, which the kernel counts and notes as a use. Windows: mapped read-only for the
    /// call; pages that are only reserved end the reading.</remarks>
    /// <param name="found">The segment, as it was listed.</param>
    /// <param name="offset">Where to begin, in bytes.</param>
    /// <param name="destination">Where the bytes go.</param>
    /// <returns>How many were read: fewer than asked for at the end of the segment, 0 behind it.</returns>
    /// <exception cref="ArgumentNullException"><paramref name="found"/> is null.</exception>
    /// <exception cref="ArgumentException"><paramref name="found"/> is no segment.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="offset"/> is negative.</exception>
    /// <exception cref="NativeIpcException">NotFound when it is gone, or its name leads to another one by now (Windows
    /// does not tell one from another: the bytes are then those of the one that has the name); PermissionDenied;
    /// OutOfResources.</exception>
    public static int Read(IpcObjectInfo found, long offset, Span<byte> destination)
    {
        ArgumentNullException.ThrowIfNull(found);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (found.Kind != IpcObjectKind.SharedMemory)
            throw new ArgumentException("Only segments have bytes.", nameof(found));
        return Catalogs.Of(found.Type).Read(found, offset, destination);
    }

    /// <summary>Whether the name or id of an object that was listed still leads to it.</summary>
    internal static bool IsStill(IpcObjectInfo found)
        => Catalogs.Of(found.Type).IsStill(found);

    private static async IAsyncEnumerable<IpcObjectChange> Watch(TimeSpan interval, IpcEnumerationOptions? options,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Dictionary<string, IpcObjectInfo> seen = [];
        using var timer = new PeriodicTimer(interval);
        for (bool first = true; ; first = false)
        {
            Dictionary<string, IpcObjectInfo> now = [];
            // A look reads much of /proc, and may have to let others go first: not on the caller's thread.
            IpcSnapshot snapshot = await Task.Run(() => Enumerate(options), cancellationToken).ConfigureAwait(false);
            foreach (IpcObjectInfo found in snapshot.Objects) now[found.ObjectIdentity] = found;
            foreach ((string identity, IpcObjectInfo last) in seen)
            {
                if (!now.ContainsKey(identity)) yield return new IpcObjectChange(IpcObjectChangeKind.Disappeared, last);
            }

            foreach ((string identity, IpcObjectInfo found) in now)
            {
                if (!seen.TryGetValue(identity, out IpcObjectInfo? last))
                    yield return new IpcObjectChange(
                        first ? IpcObjectChangeKind.Found : IpcObjectChangeKind.Appeared, found);
                else if (!found.LooksAs(last)) yield return new IpcObjectChange(IpcObjectChangeKind.Changed, found);
            }

            seen = now;
            await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
