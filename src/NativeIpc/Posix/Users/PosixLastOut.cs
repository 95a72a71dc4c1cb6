using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;

namespace NativeIpc.Posix.Users;

/// <summary>Removes an object when its last user goes (<see cref="RemovalPolicy.LastOneOut"/>): after Dispose, or at a
/// normal end of the process without.</summary>
internal sealed class PosixLastOut(NativeIpcKey key, IpcObjectKind kind, NativeIpcKey lockKey, FileIdentity identity,
    TimeSpan bound, nint address, long size, UnixDescriptor? file, Action? returnToFile = null) : ExitDuty
{
    private readonly Lock _gate = new();
    private bool _performed;

    static PosixLastOut() => NativeIpcEventSource.Load();

    /// <summary>At the end of the process.</summary>
    public override void Perform()
    {
        using var reports = HeldReports.Begin();

        // R1 Race: the object is closed while the process ends. Safe because: the gate lets one through, and the
        // other waits until it is done. What was unmapped is another thread's memory by then, so nothing is mapped
        // there.
        lock (_gate)
        {
            if (_performed) return;
            _performed = true;
            returnToFile?.Invoke();

            // R2 Race: threads still use the memory. Safe because: an empty private mapping replaces it in one call.
            if (Mapping.Replace(address, size))
            {
                if (file is not null) NoUseMark.Set(file);

                // The kernel counts this process among the users until it is gone, unless its descriptor means another
                // file by then.
                UnixDescriptor? own = file is null || PosixUsers.TryReplace(file, size) ? null : file;
                PosixUsers.RemoveIfLast(key, kind, lockKey, identity, own, bound);
            }
        }

        ProcessExit.Forget(this);
    }

    /// <summary>Closes the object, and then removes it if nobody else has it.</summary>
    /// <param name="close">Unmaps it and closes its descriptors; waits for nobody.</param>
    /// <param name="target">What is closed.</param>
    public void Close<T>(Action<T> close, T target)
    {
        using var reports = HeldReports.Begin();
        lock (_gate)
        {
            close(target);
            if (!_performed) PosixUsers.RemoveIfLast(key, kind, lockKey, identity, null, bound);
            _performed = true;
        }

        ProcessExit.Forget(this);
    }
}
