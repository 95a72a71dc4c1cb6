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

    /// <summary>Opens or makes a semaphore of one permit.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="rights">Who may use it.</param>
    /// <param name="isRobust">Whether the next holder is told of a killed one.</param>
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
    /// a time look and make.</param>
    /// <param name="rights">Who may use both.</param>
    /// <param name="agreed">The segment; the caller disposes it after the semaphore.</param>
    /// <exception cref="InvalidOperationException">It was made with another count.</exception>
    /// <exception cref="PlatformNotSupportedException">Nothing gives permits back here.</exception>
    internal static SystemSemaphore OpenCounting(in NativeIpcKey key, int count, in NativeIpcKey agreedKey,
        in Rights rights, out SharedMemory agreed)
    {
        SystemSemaphoreOptions options = OptionsFor(rights);
        options.MaximumCount = count;
        if (OperatingSystem.IsLinux() && SystemSemaphore.IsPermitRecordingSupported(key.Type))
            options.Recording = PermitRecording.Process;
        else if (!key.Type.IsSystemV) throw NotOffered(key);
        agreed = OpenAgreed(agreedKey, rights);
        try
        {
            using SharedMemoryLock alone = agreed.Lock();
            ref int there = ref agreed.GetReference<int>(0);
            if (there > 0 && there != count) throw OtherCount(key, agreedKey, count, there);
            if (there > 0) return OpenOrMake(key, count, options, isAnew: false);

            // Whoever dies or fails from here on leaves a count that nobody has agreed on, and at most a semaphore that
            // nobody has used: the next one makes it anew, with a count of its own.
            bool isAnew = there < 0;
            there = -count;
            SystemSemaphore made = OpenOrMake(key, count, options, isAnew);
            there = count;
            return made;
        }
        catch
        {
            agreed.Dispose();
            throw;
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

    /// <summary>Says that another process has made a semaphore with another count.</summary>
    internal static InvalidOperationException OtherCount(in NativeIpcKey key, in NativeIpcKey agreedKey, int wanted,
        int there)
        => new($"The semaphore {key} was made with {there} permits, and is asked for with {wanted}: all who use a name "
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
