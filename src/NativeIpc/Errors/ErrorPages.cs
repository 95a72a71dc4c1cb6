using System.Reflection;

namespace NativeIpc.Errors;

/// <summary>Where the pages about errors are: the folder docs/errors of the project.</summary>
internal static class ErrorPages
{
    /// <summary>The address of the project's files in this version; the build writes it down
    /// (Directory.Build.props).</summary>
    private static readonly string? s_files = FindFiles();

    /// <summary>The page of an error; null where the build has left out what tells the address.</summary>
    public static string? LinkTo(NativeIpcError error) => s_files is null ? null : s_files + PathTo(error);

    /// <summary>The path of an error's page among the project's files. A value that has no name has the page of
    /// Unknown.</summary>
    internal static string PathTo(NativeIpcError error) => $"docs/errors/{NameOf(error)}.md";

    // Without LINQ and extensions, whose assemblies cannot be loaded when no descriptor is left, as one of the pages
    // says.
    private static string? FindFiles()
    {
        foreach (Attribute found in Attribute.GetCustomAttributes(typeof(ErrorPages).Assembly,
            typeof(AssemblyMetadataAttribute)))
        {
            if (found is AssemblyMetadataAttribute { Key: "ProjectFiles" } metadata) return metadata.Value;
        }

        return null;
    }

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
