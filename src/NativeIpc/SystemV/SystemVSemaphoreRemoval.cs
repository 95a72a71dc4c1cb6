using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;

namespace NativeIpc.SystemV;

/// <summary>The duty to remove a semaphore, or an event, that this process made or took over, and the key file if it
/// made that, once.</summary>
/// <remarks>R1 Race: Close and the end of the process remove at once.
/// Safe because: the gate lets one through, and the other waits until it is done.
/// R2 Race: another process has made a new set under the key, or another key file under the path.
/// Safe because: the set is removed by its id, and the file is compared under its lock.</remarks>
internal sealed class SystemVSemaphoreRemoval(NativeIpcKey key, SystemVSet set, TimeSpan bound,
    string attempt = "remove the semaphore") : ExitDuty
{
    private readonly Lock _gate = new();
    private bool _performed;
    private volatile bool _hasBegun;

    /// <summary>Whether this process is removing the set, or has removed it. True before any thread can find it gone
    /// for that reason.</summary>
    public bool HasBegun => _hasBegun;

    static SystemVSemaphoreRemoval() => NativeIpcEventSource.Load();

    public override void Perform()
    {
        _hasBegun = true;
        using var reports = HeldReports.Begin();
        lock (_gate)
        {
            if (!_performed) Remove();
            _performed = true;
        }

        ProcessExit.Forget(this);
    }

    private void Remove()
    {
        KeyFile? file = null;
        try
        {
            try
            {
                file = KeyFile.Open(attempt, key, KeyFileRules.CleaningUp(bound));
            }
            finally
            {
                SystemVSupport.RemoveSemaphore(attempt, key, set.Id); // whatever has become of the file
            }

            // A file that objects of several project ids stood under goes with the last one of them, whoever made it.
            if (file is not null && (set.MadeKeyFile || file.IsMarked) && file.Status.Identity == set.KeyFile)
                file.RemoveIfUnused();
        }
        catch (NativeIpcException failure)
        {
            NativeIpcEventSource.s_log.NotRemoved(failure.Message);
        }
        finally
        {
            file?.Dispose();
        }
    }

    /// <summary>The set is gone, and was made anew under <paramref name="keyFile"/>: there is nothing to remove any
    /// more. Returns whether this instance had made that file.</summary>
    public bool Forget(FileIdentity keyFile)
    {
        lock (_gate) _performed = true;
        ProcessExit.Forget(this);
        return set.MadeKeyFile && set.KeyFile == keyFile;
    }
}
