using System.Runtime.InteropServices;
using NativeIpc.Contracts;
using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Keys;
using NativeIpc.Waiting.Bounds;

namespace NativeIpc.SystemV;

/// <summary>System V events: a set of three semaphores under a key file of its own (docs/layouts.md). Linux only: macOS
/// wakes the waiters of a set, and does not finish their operations in the call that lets them through, so a Reset that
/// follows a Set would keep some of them waiting.</summary>
internal sealed class SystemVEvents : IEventBackend
{
    private const string Creating = "create the event";
    private const string Opening = "open the event";
    private const string Removing = "remove the event";

    // A maker is between two system calls then; longer is dead.
    private static readonly TimeSpan s_initialisation = TimeSpan.FromMilliseconds(100);

    private bool _works;

    public bool Handles(NativeIpcKeyType type) => type.IsSystemV;

    public bool WorksHere => _works || (_works = OperatingSystem.IsLinux() && SystemVSupport.MayCall
        && SystemVSupport.HasCalls(Libc.semget(SystemVSupport.ProbeKey, 0, 0)));

    public (string Finding, string Remedy) WhyNotHere
        => OperatingSystem.IsLinux() ? SystemVSupport.WhyNotHere("semget")
            : ("events with System V keys need a kernel that frees waiters inside the call that sets the event, as "
                + "Linux does", "Use a semaphore here, or events on Linux and Windows.");

    /// <summary>The key whose file is the event's: that of the native key with a suffix, so that a semaphore of the
    /// same key is another set.</summary>
    internal static NativeIpcKey FileKey(in NativeIpcKey key) => new(key.NativeKey + UsableKey.EventSuffix, key.Type);

    public EventObject CreateNew(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options)
        => Create(key, mode, isSet, options, Existing.Refuse);

    public EventObject CreateOrOpen(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options)
        => Create(key, mode, isSet, options, Existing.Use);

    public EventObject CreateOrReset(in NativeIpcKey key, EventResetMode mode, bool isSet, SystemEventOptions options)
        => Create(key, mode, isSet, options, Existing.Reset);

    public EventObject? Open(in NativeIpcKey key, SystemEventOptions options, in PeerBound bound, bool mustExist)
    {
        Check(options);
        NativeIpcKey file = FileKey(key);
        using var reports = HeldReports.Begin();
        try
        {
            KeyFileRules rules = KeyFileRules.Finding(bound, options.AllowOtherOwners);
            using var session = new KeyFileSession(Opening, file, IpcObjectKind.SystemEvent, rules, bound.PeerTimeout);
            while (session.Find(out int id))
            {
                if (!TryLook(Opening, file, id, options.AllowOtherOwners)) continue;
                if (WaitForMode(Opening, file, id, bound.AtMost(s_initialisation)) is { } mode
                    && session.File.HasItsName)
                    return new SystemVEvent(key, new(id, session.File.Status.Identity), mode, options);
                if (!session.File.HasItsName || !SystemVEventSet.Exists(id)) continue;
                return mustExist ? throw HalfMade(file) : null;
            }

            return mustExist ? throw session.NotFound() : null;
        }
        catch (NativeIpcException failure) when (failure.Key == file)
        {
            throw Of(key, file, failure);
        }
    }

    public bool Remove(in NativeIpcKey key)
    {
        NativeIpcKey own = FileKey(key);
        try
        {
            using KeyFile? file = KeyFile.Open(Removing, own,
                KeyFileRules.Removing(SystemEventOptions.s_default.PeerTimeout));
            if (file is null) return false;
            bool found = SystemVSupport.RemoveSemaphoreOf(Removing, own, file.Ftok());
            file.RemoveIfUnused();
            return found;
        }
        catch (NativeIpcException failure) when (failure.Key == own)
        {
            throw Of(key, own, failure);
        }
    }

    /// <summary>Refuses options that System V cannot serve.</summary>
    private static void Check(SystemEventOptions options)
    {
        if (options.Removal == RemovalPolicy.LastOneOut)
            throw new PlatformNotSupportedException(
                "The removal policy LastOneOut is not for System V events: the kernel does not count who uses a set. "
                    + "Use Creator or Keep, or a POSIX key.");
        if (options.Reclaim)
            throw new PlatformNotSupportedException(
                "A System V event cannot be reclaimed: the kernel does not count who uses a set, so nobody can tell "
                    + "whether its users are dead. Use CreateOrReset, or a POSIX key.");
    }

    private static SystemVEvent Create(in NativeIpcKey key, EventResetMode mode, bool isSet,
        SystemEventOptions options, Existing existing)
    {
        Check(options);
        NativeIpcKey file = FileKey(key);
        using var reports = HeldReports.Begin();
        try
        {
            return CreateUnder(key, file, mode, isSet, options, existing);
        }
        catch (NativeIpcException failure) when (failure.Key == file)
        {
            throw Of(key, file, failure);
        }
    }

    private static SystemVEvent CreateUnder(in NativeIpcKey key, in NativeIpcKey file, EventResetMode mode, bool isSet,
        SystemEventOptions options, Existing existing)
    {
        KeyFileRules rules = KeyFileRules.Making(existing, options, options.PeerTimeout);
        using var session = new KeyFileSession(Creating, file, IpcObjectKind.SystemEvent, rules, options.PeerTimeout);
        while (true)
        {
            session.Open();
            Obtained obtained = session.Obtain(SystemVEventSet.Members, options.Mode, out int id);
            if (obtained == Obtained.Gone) continue;
            if (obtained == Obtained.Found)
            {
                if (existing == Existing.Refuse)
                    throw SystemVErrors.GetSemaphore(Creating, file, Errno.EEXIST, kind: IpcObjectKind.SystemEvent);
                if (!TryLook(Creating, file, id, options.AllowOtherOwners)) continue;
            }
            else if (rules.Group is { } group && group != Libc.getegid()
                && SystemVSupport.GiveSet(id, null, group) is not 0 and var refused
                && SystemVEventSet.Exists(id))
            {
                throw SystemVErrors.Give(Creating, file, "semctl", refused);
            }

            // R1 Race: the maker of a set dies before it is an event.
            // Safe because: the mode is set in one operation with the state, and only where there is none yet: this
            // call does that, and is the maker then.
            bool isMaker = obtained == Obtained.Made
                || WaitForMode(Creating, file, id, options.PeerTimeout < s_initialisation
                    && options.PeerTimeout >= TimeSpan.Zero ? options.PeerTimeout : s_initialisation) is null;
            int number = isMaker ? SystemVEventSet.Begin(id, mode, isSet) : 0;
            if (SystemVSupport.IsGone(number)) continue;
            if (number == Errno.EAGAIN) isMaker = false;
            else if (number != 0) throw SystemVErrors.UseSemaphore(Creating, file, "semop", number);
            if (WaitForMode(Creating, file, id, TimeSpan.Zero) is not { } found) continue;
            if (found != mode) throw EventObject.OtherMode(Creating, key, found);
            if (!session.File.HasPath) continue;

            // Before it is this instance's to remove: one that could not be taken over stays as it is.
            if (!isMaker && existing == Existing.Reset)
            {
                number = isSet ? SystemVEventSet.Set(id, found) : SystemVEventSet.Reset(id);
                if (SystemVSupport.IsGone(number)) continue;
                if (number != 0 && number != Errno.EAGAIN) // which says that it was so already
                    throw SystemVErrors.UseSemaphore(Creating, file, "semop", number);
            }

            var set = new SystemVSet(id, session.File.Status.Identity)
            {
                CreatedNew = isMaker,
                Owns = isMaker || existing == Existing.Reset,
                MadeKeyFile = session.MadeFile,
            };
            session.Keep();
            return new SystemVEvent(key, set, found, options);
        }
    }

    /// <summary>Whether a set is there, whose owner was found good, and that can be an event; false when it is
    /// gone.</summary>
    private static bool TryLook(string attempt, in NativeIpcKey file, int id, bool trustsOthers)
    {
        int number = SystemVSupport.SetStatusOf(id, out SetStatus status);
        if (SystemVSupport.IsGone(number)) return false;
        if (number != 0) throw SystemVErrors.UseSemaphore(attempt, file, "semctl", number);
        if (!trustsOthers) SystemVSupport.CheckOwner(attempt, file, "semctl", status.Uid, status.CreatorUid);
        return status.Count == SystemVEventSet.Members ? true
            : throw Failure.Found(NativeIpcError.KeyError, attempt, file, "semctl",
                $"the set of its key file {KeyFile.Path(file)} is no event: it has {status.Count} semaphores instead "
                    + $"of {SystemVEventSet.Members}", "Remove that set (ipcrm -s), or use another key.");
    }

    /// <summary>The mode of a set, waited for; null when it has none, since its maker has died, or it is
    /// gone.</summary>
    private static EventResetMode? WaitForMode(string attempt, in NativeIpcKey file, int id, in PeerBound bound)
    {
        var backoff = new Backoff(bound);
        do
        {
            int value = Libc.semctl(id, SystemVEventSet.Mode, Flags.GETVAL);
            switch (value)
            {
                case SystemVEventSet.Auto: return EventResetMode.AutoReset;
                case SystemVEventSet.Manual: return EventResetMode.ManualReset;
                case 0: continue;
                case -1 when Marshal.GetLastPInvokeError() is var number:
                    return SystemVSupport.IsGone(number)
                        ? null : throw SystemVErrors.UseSemaphore(attempt, file, "semctl", number);
            }

            throw Failure.Found(NativeIpcError.KeyError, attempt, file, "semctl",
                $"the set of its key file {KeyFile.Path(file)} is no event: it has the mode {value}, and there are "
                    + $"{SystemVEventSet.Auto} (auto-reset) and {SystemVEventSet.Manual} (manual-reset)",
                "Remove that set (ipcrm -s), or use another key.");
        }
        while (backoff.Pause());

        return null;
    }

    private static NativeIpcException HalfMade(in NativeIpcKey file)
        => Failure.Found(NativeIpcError.NotFound, Opening, file, "semctl",
            "it is half-created: its creator has not completed it yet, or has died before",
            "Try again, or use CreateOrOpen, which completes it.");

    /// <summary>A failure of the key file, told of the key that the caller knows.</summary>
    private static NativeIpcException Of(in NativeIpcKey key, in NativeIpcKey file, NativeIpcException failure)
    {
        string message = failure.Message.Replace(Failure.Describe(file), Failure.Describe(key),
            StringComparison.Ordinal);
        if (file.ToString() is { Length: > 0 } text && key.ToString() is { } known)
            message = message.Replace(text, known, StringComparison.Ordinal);
        return new NativeIpcException(failure.Error, failure.Operation, key, failure.NativeErrorCode, message, failure);
    }
}
