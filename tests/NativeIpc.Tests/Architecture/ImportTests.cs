using System.Reflection;
using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.Tests.Architecture;

/// <summary>The error number of a native call is kept for those that ask for it: without SetLastError, that of an
/// earlier call would be told.</summary>
public class ImportTests
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static
        | BindingFlags.DeclaredOnly;

    private static readonly Dictionary<string, string> s_withoutNumber = new()
    {
        ["clock_gettime_fast"] = "it fails only for a clock that is none",
        ["close_number"] = "what closes a descriptor that nobody else has cannot be mended",
        ["epoll_wait"] = "whatever it is, the thread goes round once more",
        ["free"] = "it says nothing",
        ["getauxval"] = "0 says all",
        ["getegid"] = "it cannot fail",
        ["geteuid"] = "it cannot fail",
        ["getrlimit"] = "whatever it is, there is no limit that is known",
        ["getsid"] = "of this process it cannot fail; 0 is no session here",
        ["posix_fallocate"] = "it returns the number",
        ["syscall_futex_wake"] = "it fails only for an address that is none",
        ["LocalFree"] = "what was not freed cannot be mended",
        ["NtOpenDirectoryObject"] = "it returns a status",
        ["NtQueryDirectoryObject"] = "it returns a status",
        ["NtQueryEvent"] = "it returns a status",
        ["NtQueryObject"] = "it returns a status",
        ["NtQuerySemaphore"] = "it returns a status",
    };

    [Fact]
    public void Each_import_keeps_its_error_number_or_has_a_reason_why_nobody_asks_for_it()
    {
        (string Name, bool Keeps)[] imports = [.. typeof(SharedMemory).Assembly.GetTypes()
            .SelectMany(static type => type.GetMethods(All))
            .Select(static method => (method.Name, Import: method.GetCustomAttribute<LibraryImportAttribute>()))
            .Where(static method => method.Import is not null)
            .Select(static method => (method.Name, method.Import!.SetLastError))];
        Assert.Contains(("inotify_add_watch", true), imports);
        Assert.Equal(s_withoutNumber.Keys.Order(StringComparer.Ordinal),
            imports.Where(static import => !import.Keeps).Select(static import => import.Name).Distinct()
                .Order(StringComparer.Ordinal));
    }
}
