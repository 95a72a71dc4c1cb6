namespace NativeIpc.Extensions;

/// <summary>Whether a registered object is made or opened when the host starts.</summary>
public enum ObjectOpening
{
    /// <summary>Opened, or made if it is not there.</summary>
    CreateOrOpen = 0,

    /// <summary>Made; the host does not start if it is there.</summary>
    CreateNew = 1,

    /// <summary>Opened; the host does not start if it is not there.</summary>
    OpenExisting = 2,

    /// <summary>Made, or taken over with a fresh count. Semaphores only.</summary>
    CreateOrReset = 3,
}
