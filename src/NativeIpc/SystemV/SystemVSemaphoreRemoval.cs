using NativeIpc.Errors;
using NativeIpc.Interop.Unix;
using NativeIpc.Lifetime;

namespace NativeIpc.SystemV;

/// <summary>The duty to remove a semaphore that this process made or took over, and the key file if it made that,
/// once.</summary>
/// <remarks>The set is removed by its id, so another's set under the same key stays; the file is compared under its
/// lock.</remarks>
internal sealed class SystemVSemaphoreRemoval(NativeIpcKey key, SystemVSet set, TimeSpan bound) : ExitDuty
{
    private const string Removing = "remove the semaphore";

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
                file = KeyFile.Open(Removing, key, create: false, KeyFile.Rules.Removing(bound), cleansUp: true);
            }
            finally
            {
                SystemVSupport.RemoveSemaphore(Removing, key, set.Id); // whatever has become of the file
            }

            // A file that objects of several project ids stood under goes with the last one of them, whoever made it.
            if (file is not null && (set.MadeKeyFile || file.IsMarked) && file.Status.Identity == set.KeyFile)
                file.RemoveIfOurs(file.Ftok(Removing));
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

    /// <summary>The set is gone, and was made anew under <paramref name="keyFile"/>; tells whether this instance had
    /// made that file.</summary>
    public bool Forget(FileIdentity keyFile)
    {
        lock (_gate) _performed = true;
        ProcessExit.Forget(this);
        return set.MadeKeyFile && set.KeyFile == keyFile;
    }
}
