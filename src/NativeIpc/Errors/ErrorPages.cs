namespace NativeIpc.Errors;

/// <summary>Where the pages about errors are: the folder docs/errors of the project.</summary>
internal static partial class ErrorPages
{
    // Files, the address of the project's files in this version, is written by the build (Directory.Build.props).

    /// <summary>The page of an error.</summary>
    public static string LinkTo(NativeIpcError error) => Files + PathTo(error);

    /// <summary>The path of an error's page among the project's files. A value that has no name has the page of
    /// Unknown.</summary>
    internal static string PathTo(NativeIpcError error) => $"docs/errors/{NameOf(error)}.md";

    private static string NameOf(NativeIpcError error) => error switch
    {
        NativeIpcError.PermissionDenied => "permission-denied",
        NativeIpcError.InvalidSize => "invalid-size",
        NativeIpcError.KeyError => "key-error",
        NativeIpcError.AlreadyExists => "already-exists",
        NativeIpcError.NotFound => "not-found",
        NativeIpcError.LockError => "lock-error",
        NativeIpcError.OutOfResources => "out-of-resources",
        _ => "unknown",
    };
}
