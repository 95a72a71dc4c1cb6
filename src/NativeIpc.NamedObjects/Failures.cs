namespace NativeIpc.NamedObjects;

/// <summary>Failures of the library as the exceptions that .NET's named objects throw.</summary>
internal static class Failures
{
    /// <summary>The exception of a wait handle's constructor or OpenExisting. What is neither missing nor forbidden
    /// stays what it is, an IOException.</summary>
    public static Exception OfHandle(NativeIpcException failure) => failure.Error switch
    {
        NativeIpcError.NotFound or NativeIpcError.KeyError
            => new WaitHandleCannotBeOpenedException(failure.Message, failure),
        NativeIpcError.PermissionDenied => new UnauthorizedAccessException(failure.Message, failure),
        _ => failure,
    };

    /// <summary>The exception of a map.</summary>
    public static Exception OfMemory(NativeIpcException failure) => failure.Error switch
    {
        NativeIpcError.NotFound => new FileNotFoundException(failure.Message, failure),
        NativeIpcError.PermissionDenied => new UnauthorizedAccessException(failure.Message, failure),
        _ => failure,
    };

    /// <summary>No object of a name.</summary>
    public static WaitHandleCannotBeOpenedException NoHandle(string name)
        => new($"No handle of the name '{name}' exists: no living process has it open.");
}
