using System.Runtime.InteropServices;

namespace NativeIpc.NamedObjects;

/// <summary>The user of this process, as Linux numbers it.</summary>
internal static partial class CurrentUser
{
    /// <summary>The effective user. Asked each time: a process may change it.</summary>
    public static uint Id => geteuid();

    [LibraryImport("libc")]
    private static partial uint geteuid();
}
