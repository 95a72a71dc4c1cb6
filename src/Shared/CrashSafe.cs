namespace NativeIpc.Shared;

/// <summary>Who may use the objects that are made.</summary>
internal readonly record struct Rights(UnixFileMode Mode, string? Group, bool AllowOtherOwners);

/// <summary>Locks and counting semaphores that give back what a killed process held, or none. Compiled into each
/// package that needs them.</summary>
internal static class CrashSafe
{
    /// <summary>The type of keys with which both are to be had here.</summary>
    internal static readonly NativeIpcKeyType s_defaultType = OperatingSystem.IsWindows() ? NativeIpcKeyType.Windows
        : SystemSemaphore.IsPermitRecordingSupported(NativeIpcKeyType.PosixRealtime) ? NativeIpcKeyType.PosixRealtime
        : NativeIpcKeyType.SystemV;

    /// <summary>How long the first opening of a counting semaphore waits for others who are at it.</summary>
    internal static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(10);

    /// <summary>Opens or makes a semaphore of one permit.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="rights">Who may use it.</param>
    /// <param name="isRobust">Whether the next holder learns of a killed one.</param>
    /// <exception cref="PlatformNotSupportedException">Nothing gives it back here.</exception>
    internal static SystemSemaphore OpenLock(in NativeIpcKey key, in Rights rights, out bool isRobust)
    {
        SystemSemaphoreOptions options = OptionsFor(rights);
        // macOS tells nobody of a holder's death, but its kernel gives the permit back.
        isRobust = !OperatingSystem.IsMacOS();
        if (isRobust) options.Robust = true;
        else if (!key.Type.IsSystemV) throw NotOffered(key);
        else options.MaximumCount = 1;
        if (key.Type == NativeIpcKeyType.PosixRealtime) options.Removal = RemovalPolicy.LastOneOut;
        return OpenOrMake(key, 1, options, isAnew: false);
    }

    /// <summary>Opens or makes a counting semaphore that all users want with as many permits.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="count">How many permits.</param>
    /// <param name="agreedKey">The key of the segment that says how many; it is kept open as long. Its lock lets one at
    /// a time agree and make.</param>
    /// <param name="rights">Who may use both.</param>
    /// <param name="agreed">The segment; the caller disposes it after the semaphore.</param>
    /// <param name="longestWait">How long others who agree are waited for; null for ten seconds.</param>
    /// <exception cref="InvalidOperationException">It was made with another count.</exception>
    /// <exception cref="TimeoutException">A peer that agrees has not ended in time.</exception>
    /// <exception cref="PlatformNotSupportedException">Nothing gives permits back here.</exception>
    internal static SystemSemaphore OpenCounting(in NativeIpcKey key, int count, in NativeIpcKey agreedKey,
        in Rights rights, out SharedMemory agreed, TimeSpan? longestWait = null)
    {
        TimeSpan longest = longestWait ?? s_longestWait;
        if (TryOpenCounting(key, count, agreedKey, rights, longest, out SharedMemory? open) is not { } opened)
            throw NotAgreed(key, agreedKey, longest);
        agreed = open!;
        return opened;
    }

    /// <summary>The same; null when others who agree have not ended in time.</summary>
    /// <inheritdoc cref="OpenCounting" path="/*[not(self::summary) and not(@cref='T:System.TimeoutException')]"/>
    internal static SystemSemaphore? TryOpenCounting(in NativeIpcKey key, int count, in NativeIpcKey agreedKey,
        in Rights rights, TimeSpan longestWait, out SharedMemory? agreed)
    {
        SystemSemaphoreOptions options = OptionsFor(rights);
        options.MaximumCount = count;
        if (OperatingSystem.IsLinux() && SystemSemaphore.IsPermitRecordingSupported(key.Type))
            options.Recording = PermitRecording.Process;
        else if (!key.Type.IsSystemV) throw NotOffered(key);
        while (true)
        {
            SharedMemory open = OpenAgreed(agreedKey, rights);
            SystemSemaphore? opened = null;
            bool isKept = false;
            try
            {
                opened = TryOpenAgreed(key, count, options, open, longestWait);

                // R1 Race: a peer removes both meanwhile, and others agree on another count. Safe because: the segment
                // is removed first, so if it is still there now, the semaphore was opened before that.
                isKept = opened is not null && !open.WasReplaced;
                agreed = isKept ? open : null;
                if (isKept || opened is null) return opened;
            }
            finally
            {
                if (!isKept)
                {
                    opened?.Dispose();
                    open.Dispose();
                }
            }
        }
    }

    /// <summary>Says that others who agree on a count have not ended.</summary>
    internal static TimeoutException NotAgreed(in NativeIpcKey key, in NativeIpcKey agreedKey, TimeSpan waited)
        => new($"Cannot open the semaphore {key}: for {waited.TotalSeconds} s others have had the lock of {agreedKey}, "
            + $"under which they agree on its count. 'nipc show {agreedKey}' says who has it. Continue or end that "
            + "process.");

    private static SystemSemaphore? TryOpenAgreed(in NativeIpcKey key, int count, SystemSemaphoreOptions options,
        SharedMemory agreed, TimeSpan longestWait)
    {
        ref int there = ref agreed.GetReference<int>(0);
        // What is agreed on stays, so nobody waits then for a lock that a stopped process may hold.
        if (Volatile.Read(ref there) is > 0 and int known) return OpenKnown(key, count, options, agreed, known);
        if (!agreed.TryLock(longestWait, out SharedMemoryLock alone)) return null;
        using (alone)
        {
            if (there > 0) return OpenKnown(key, count, options, agreed, there);

            // What there is although nobody has agreed lost its segment, and may be in use.
            if (there == 0 && SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? found, options))
                return Adopt(found, count, agreed);

            // Whoever dies or fails from here on leaves a count that nobody has agreed on, and at most a semaphore that
            // nobody has used: the next one makes it anew, with a count of its own.
            bool isAnew = there < 0;
            Volatile.Write(ref there, -count);
            SystemSemaphore made = OpenOrMake(key, count, options, isAnew);
            Volatile.Write(ref there, count);
            return made;
        }
    }

    private static SystemSemaphore OpenKnown(in NativeIpcKey key, int count, SystemSemaphoreOptions options,
        SharedMemory agreed, int there)
        => there == count ? OpenOrMake(key, count, options, isAnew: false)
            : throw OtherCount(key, agreed.Key, count, there);

    /// <summary>Agrees on the count of a semaphore whose segment was lost; how many of its permits are out is not
    /// known.</summary>
    private static SystemSemaphore Adopt(SystemSemaphore found, int count, SharedMemory agreed)
    {
        bool isAdopted = false;
        try
        {
            if (found.TryGetCurrentCount(out int free) && free > count)
                throw OtherCount(found.Key, agreed.Key, count, free);
            Volatile.Write(ref agreed.GetReference<int>(0), count);
            isAdopted = true;
            return found;
        }
        finally
        {
            if (!isAdopted) found.Dispose();
        }
    }

    /// <summary>Gives permits back that may have been lost meanwhile.</summary>
    /// <returns>False when they were: the semaphore was removed, or its count was set anew.</returns>
    /// <exception cref="NativeIpcException">The system refused.</exception>
    internal static bool TryRelease(SystemSemaphore semaphore, int count)
    {
        try
        {
            semaphore.Release(count);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false; // a robust one that this instance does not hold any more
        }
        catch (NativeIpcException failure) when (failure.Error is NativeIpcError.NotFound
            or NativeIpcError.OutOfResources or NativeIpcError.LockError)
        {
            return false;
        }
    }

    /// <summary>Says that a semaphore has another count, or more free permits than are wanted in all.</summary>
    internal static InvalidOperationException OtherCount(in NativeIpcKey key, in NativeIpcKey agreedKey, int wanted,
        int there)
        => new($"The semaphore {key} has {there} permits, and is asked for with {wanted}: all who use a name "
            + $"must agree. To change it, end them all, and remove it: 'nipc rm {agreedKey}' and 'nipc rm {key}'.");

    private static SystemSemaphoreOptions OptionsFor(in Rights rights)
    {
        var options = new SystemSemaphoreOptions { Mode = rights.Mode, Removal = RemovalPolicy.Keep };
        if (OperatingSystem.IsWindows()) return options;
        options.Group = rights.Group;
        options.AllowOtherOwners = rights.AllowOtherOwners;
        return options;
    }

    private static PlatformNotSupportedException NotOffered(in NativeIpcKey key)
        => new($"Cannot open {key}: with keys of this type nothing gives back here what a killed process held. "
            + (OperatingSystem.IsWindows() ? "Windows has that for locks only." : "Use System V keys."));

    private static SystemSemaphore OpenOrMake(in NativeIpcKey key, int count, SystemSemaphoreOptions options,
        bool isAnew)
    {
        SystemSemaphore made = isAnew ? SystemSemaphore.CreateOrReset(key, count, options)
            : SystemSemaphore.CreateOrOpen(key, count, options);
        if (!key.Type.IsSystemV) return made;

        // One that knows a count makes a removed set anew without a word; then its holders would not be told.
        while (true)
        {
            made.Dispose();
            if (SystemSemaphore.TryOpenExisting(key, out SystemSemaphore? opened, options)) return opened;
            made = SystemSemaphore.CreateOrOpen(key, count, options);
        }
    }

    /// <summary>Opens the segment that says with how many permits a semaphore was made: 0 for not yet, less for not
    /// quite.</summary>
    private static SharedMemory OpenAgreed(in NativeIpcKey agreedKey, in Rights rights)
    {
        var options = new SharedMemoryOptions { Mode = rights.Mode, Removal = RemovalPolicy.Keep };
        if (!OperatingSystem.IsWindows())
        {
            options.Group = rights.Group;
            options.AllowOtherOwners = rights.AllowOtherOwners;
        }

        return SharedMemory.CreateOrOpen(agreedKey, sizeof(int), options);
    }
}
