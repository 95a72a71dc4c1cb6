using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Platform;
using NativeIpc.Posix.Names;
using NativeIpc.Posix.Users;
using NativeIpc.Posix.Words;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.Posix.Events;

/// <summary>POSIX events: a file of <c>/dev/shm</c> under a name of its own, published whole (docs/layouts.md). Linux
/// only: what waits sleeps by futex(2) on memory that processes share, and macOS has no such call in public.</summary>
internal sealed class PosixEvents : IEventBackend
{
    private const string Creating = "create the event";
    private const string Opening = "open the event";
    private const int MostRounds = 1000;
    private const int MostNames = 100;

    private static readonly WholePublishing s_whole = new();
    private static int s_lastName;

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type == NativeIpcKeyType.PosixRealtime;

    public bool WorksHere => _works
        || (_works = EventWord.IsPossible && PosixNames.s_areFiles && PosixNames.WorkHere());

    public (string Finding, string Remedy) WhyNotHere
        => !OperatingSystem.IsLinux()
            ? ("events with POSIX keys need a wait on memory that processes share (futex), which only Linux has for "
                + "everybody", "Use a semaphore here, or events on Linux and Windows.")
            : !PosixNames.s_areFiles
                ? ("events with POSIX keys are files of /dev/shm, and the switch NativeIpc.PlainPosixCalls is on",
                    "Turn that switch off, or use a System V key.")
            : !BitConverter.IsLittleEndian
                ? ("events with POSIX keys are for little-endian processors", "Use a System V key.")
            : PosixFolder.WhyNotHere();

    public EventObject CreateNew(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options)
        => TryCreate(key, mode, isSet, ToCreate(key, options))
            ?? throw (EventFile.StatusOfName(key) is { } status && !EventFile.IsEvent(status)
                ? EventFile.NoEvent(Creating, key, status)
                : Failure.Of(NativeIpcError.AlreadyExists, Creating, key, "linkat", Errno.EEXIST,
                    "Open it, use CreateOrOpen, or CreateOrReset to take over a leftover with a fresh state."));

    public EventObject? Open(in NativeIpcKey key, SystemEventOptions options, in PeerBound bound, bool mustExist)
    {
        PosixUsers.CheckOffered(key, options.Removal, options.Reclaim);
        EventUse use = EventUse.By(options, bound);
        if (TryOpen(key, use) is { } opened) return WithDuty(opened, use);
        return mustExist ? throw PosixErrors.Open(Opening, key, "open", Errno.ENOENT) : null;
    }

    public EventObject CreateOrOpen(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options)
    {
        EventUse use = ToCreate(key, options);
        PosixEvent opened = OpenOrCreate(key, mode, isSet, use);
        return opened.CreatedNew ? opened : WithDuty(opened, use);
    }

    public EventObject CreateOrReset(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options)
    {
        EventUse use = ToCreate(key, options);
        PosixEvent opened = OpenOrCreate(key, mode, isSet, use);
        if (opened.CreatedNew) return opened;
        try
        {
            opened.SetAnew(isSet);

            // Only now it is this instance's to remove: one that could not be taken over stays as it is.
            opened.TakeDuty(use.DutyOf(Origin.Made));
            RecordTakenOver(key, use, opened.Identity);
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    public bool Remove(in NativeIpcKey key)
        => PosixRemoval.RemoveNamed("remove the event", key, IpcObjectKind.SystemEvent, lockKey: default);

    public UnusedAnswer RemoveIfUnused(in NativeIpcKey key, TimeSpan bound)
        => PosixUsers.RemoveLeftover(key, IpcObjectKind.SystemEvent, default, bound);

    /// <summary>What the options say, once a leftover is removed that they reclaim.</summary>
    private static EventUse ToCreate(in NativeIpcKey key, SystemEventOptions options)
    {
        PosixUsers.CheckOffered(key, options.Removal, options.Reclaim);
        if (options.Reclaim)
            PosixUsers.Reclaim(Creating, key, IpcObjectKind.SystemEvent, default, options.PeerTimeout);
        return EventUse.By(options, options.PeerTimeout);
    }

    private static PosixEvent OpenOrCreate(in NativeIpcKey key, EventResetMode mode, bool isSet, in EventUse use)
    {
        for (int round = 0; round < MostRounds; round++)
        {
            if (TryOpen(key, use) is { } opened) return EventObject.OfMode(opened, Creating, mode);
            if (TryCreate(key, mode, isSet, use) is { } created) return created;
        }

        throw Failure.Found(NativeIpcError.LockError, Creating, key, "open",
            "other processes keep making and removing it", "Try again.");
    }

    /// <summary>Opens what is there, without a duty; null when there is nothing.</summary>
    private static PosixEvent? TryOpen(in NativeIpcKey key, in EventUse use)
    {
        while (true)
        {
            int file = EventFile.Open(key, use.Bound, out int number);
            if (number == Errno.ENOENT) return null;
            if (number != 0) throw PosixErrors.Open(Opening, key, "open", number);
            try
            {
                number = Libc.Status(file, out FileStatus status);
                if (number != 0) throw PosixErrors.Unknown(Opening, key, "statx", number);

                // R1 Race: the name is removed or replaced after the open. Safe because: a file without links is left,
                // and what has the name now is opened.
                if (status.Links == 0) continue;
                if (!EventFile.IsEvent(status)) throw EventFile.NoEvent(Opening, key, status);
                if (!use.AllowOtherOwners) PosixUsers.CheckOwner(Opening, key, IpcObjectKind.SystemEvent, status);
                return Map(key, file, status.Identity);
            }
            finally
            {
                _ = Libc.close(file);
            }
        }
    }

    private static unsafe PosixEvent Map(in NativeIpcKey key, int file, FileIdentity identity)
    {
        nint page = EventFile.MapPage(Opening, key, file);
        if (EventWord.ModeOf(new((void*)page, EventWord.Size), out string fault) is { } mode)
            return new PosixEvent(key, page, identity, Origin.Found, mode);
        _ = Libc.munmap(page, EventWord.Size);
        throw EventFile.NoEvent(Opening, key, fault);
    }

    /// <summary>Makes an event; null when the name is taken. Without a name first; where that is refused, under a
    /// second name, which for a moment leads to it as well.</summary>
    private static PosixEvent? TryCreate(in NativeIpcKey key, EventResetMode mode, bool isSet, in EventUse use)
    {
        SizeLimits.CheckFile(Creating, key, EventWord.Size);
        bool isRefused = false;
        if (s_whole.IsOn)
        {
            PosixEvent? made = MakeWhole(key, mode, isSet, use, out int failure);
            if (made is not null) s_whole.Worked();
            if (failure == 0 || failure == Errno.EEXIST) return made;
            isRefused = failure is Errno.EACCES or Errno.EPERM;
            if (!isRefused) s_whole.TurnOff();
        }

        PosixEvent? plain = MakeBesides(key, mode, isSet, use);
        if (isRefused && plain is not null) s_whole.WasRefused();
        return plain;
    }

    /// <summary>Makes it without a name and gives it one when it is complete. <paramref name="number"/>: 0; EEXIST when
    /// the name is taken; or why it cannot be made in this way, with nothing left behind.</summary>
    private static unsafe PosixEvent? MakeWhole(in NativeIpcKey key, EventResetMode mode, bool isSet, in EventUse use,
        out int number)
    {
        int unnamed = PosixNames.OpenUnnamed(use.Mode);
        number = unnamed == -1 ? Marshal.GetLastPInvokeError() : 0;
        if (number != 0)
            return WholePublishing.Of(number, PublishingCall.Open) != WholePublishing.Verdict.Failed
                ? null : throw PosixErrors.Create(Creating, key, "open", number);
        try
        {
            FileIdentity identity = Complete(key, mode, isSet, use, unnamed);
            nint page = EventFile.MapPage(Creating, key, unnamed);
            var path = new Utf8Path(PosixNames.Start(IpcObjectKind.SystemEvent), PosixNames.Bare(key));
            StopPoint.At("event.unnamed"); // death: nothing is left
            number = UnnamedFile.Link(unnamed, path.Pointer);
            if (number == 0) return Made(key, page, identity, mode, use);
            _ = Libc.munmap(page, EventWord.Size);
            return number == Errno.EEXIST
                || WholePublishing.Of(number, PublishingCall.Link) != WholePublishing.Verdict.Failed
                ? null : throw PosixErrors.Create(Creating, key, "linkat", number);
        }
        finally
        {
            _ = Libc.close(unnamed);
        }
    }

    /// <summary>Makes it under a second name, where files without a name are refused, and gives it its own when it is
    /// complete.</summary>
    /// <remarks>No key of an event leads to the second name. One that a killed maker left is a file of 64 bytes that
    /// nobody opens.</remarks>
    private static unsafe PosixEvent? MakeBesides(in NativeIpcKey key, EventResetMode mode, bool isSet, in EventUse use)
    {
        int file;
        int number;
        string name;
        int names = 0;
        do
        {
            name = string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $".nativeipc-event.{Environment.ProcessId}.{Interlocked.Increment(ref s_lastName)}");
            var second = new Utf8Path("/dev/shm/"u8, name);
            file = Libc.open_utf8(second.Pointer,
                Flags.O_RDWR | Flags.O_CREAT | Flags.O_EXCL | Flags.O_CLOEXEC | Flags.O_NOFOLLOW, (uint)use.Mode);
            number = file == -1 ? Marshal.GetLastPInvokeError() : 0;
        }
        while (number == Errno.EINTR || (number == Errno.EEXIST && ++names < MostNames));

        if (number != 0) throw PosixErrors.Create(Creating, key, "open", number);
        try
        {
            FileIdentity identity = Complete(key, mode, isSet, use, file);
            nint page = EventFile.MapPage(Creating, key, file);
            var path = new Utf8Path(PosixNames.Start(IpcObjectKind.SystemEvent), PosixNames.Bare(key));
            var second = new Utf8Path("/dev/shm/"u8, name);
            number = Libc.linkat_utf8(Flags.AT_FDCWD, second.Pointer, Flags.AT_FDCWD, path.Pointer, 0) == 0
                ? 0 : Marshal.GetLastPInvokeError();
            if (number == 0) return Made(key, page, identity, mode, use);
            _ = Libc.munmap(page, EventWord.Size);
            return number == Errno.EEXIST ? null : throw PosixErrors.Create(Creating, key, "linkat", number);
        }
        finally
        {
            RemoveSecondName(key, name);
            _ = Libc.close(file);
        }
    }

    /// <summary>Removes the second name of what was made under one. Where that fails, the name stays, and leads to the
    /// event or to what would have been one.</summary>
    private static unsafe void RemoveSecondName(in NativeIpcKey key, string name)
    {
        var second = new Utf8Path("/dev/shm/"u8, name);
        int number;
        do number = Libc.unlink_utf8(second.Pointer) == 0 ? 0 : Marshal.GetLastPInvokeError();
        while (number == Errno.EINTR);

        if (number == 0 || number == Errno.ENOENT) return;
        NativeIpcEventSource.s_log.NotRemoved(
            $"{Failure.Describe(key)} was made under a second name, /dev/shm/{name}, which was not removed: "
                + $"{PosixErrors.Unlink(Creating, key, "unlink", number).Message}");
    }

    /// <summary>Content, owner, group and mode of a file that has not got its name yet.</summary>
    private static FileIdentity Complete(in NativeIpcKey key, EventResetMode mode, bool isSet, in EventUse use,
        int file)
    {
        EventFile.Write(Creating, key, mode, isSet, file);
        if (use.Group is { } group && Libc.fchown(file, uint.MaxValue, UserGroups.Resolve(group)) != 0)
            throw PosixErrors.Group(Creating, key, group, Marshal.GetLastPInvokeError());
        int number = Libc.Status(file, out FileStatus status);
        if (number != 0) throw PosixErrors.Unknown(Creating, key, "statx", number);

        // The umask may have cut the mode.
        if ((UnixFileMode)status.Permissions != use.Mode && Libc.fchmod(file, (uint)use.Mode) != 0)
            throw PosixErrors.Unknown(Creating, key, "fchmod", Marshal.GetLastPInvokeError());
        if (use.IsRecorded) RemovalRecord.Write(file);
        return status.Identity;
    }

    private static PosixEvent Made(in NativeIpcKey key, nint page, FileIdentity identity, EventResetMode mode,
        in EventUse use)
    {
        try
        {
            return WithDuty(new PosixEvent(key, page, identity, Origin.Made, mode), use);
        }
        catch
        {
            new PosixRemoval(key, IpcObjectKind.SystemEvent, lockKey: default, identity,
                TimeSpan.FromSeconds(1)).Perform();
            throw;
        }
    }

    /// <summary>Has an object do what the policy says when it is closed; it is disposed if that fails.</summary>
    private static PosixEvent WithDuty(PosixEvent opened, in EventUse use)
    {
        try
        {
            opened.TakeDuty(use.DutyOf(opened.CreatedNew ? Origin.Made : Origin.Found));
            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>Records that this process has to remove an event that was taken over, or takes such a record away, if
    /// its name still leads to it.</summary>
    private static void RecordTakenOver(in NativeIpcKey key, in EventUse use, FileIdentity identity)
    {
        using UnixDescriptor file =
            Libc.OpenToLook(PosixNames.FileOf(key, IpcObjectKind.SystemEvent), out int number);
        if (number != 0 || Libc.Status(file, out FileStatus status) != 0 || status.Identity != identity) return;
        if (use.IsRecorded) RemovalRecord.Write((int)file.DangerousGetHandle());
        else RemovalRecord.Erase((int)file.DangerousGetHandle());
    }
}
