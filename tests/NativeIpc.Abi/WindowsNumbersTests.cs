using System.Reflection;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Windows;
using Xunit;

namespace NativeIpc.Abi;

/// <summary>Every constant, layout and declaration of Interop for Windows, against the headers of mingw-w64. Compiled
/// and not run.</summary>
public class WindowsNumbersTests
{
    private const string Headers = """
        #define WIN32_LEAN_AND_MEAN
        #include <windows.h>
        #include <ntstatus.h>
        #include <sddl.h>
        #include <winternl.h>
        #include <stddef.h>

        /* Of the driver kit, and not in the headers for programs: as Microsoft documents them; those of semaphores
           and events as phnt and ReactOS declare them. */
        #define DIRECTORY_QUERY 0x0001
        #define SEMAPHORE_QUERY_STATE 0x0001
        #define EVENT_QUERY_STATE 0x0001
        typedef enum { NotificationEvent, SynchronizationEvent } EVENT_TYPE;
        typedef enum { EventBasicInformation } EVENT_INFORMATION_CLASS;
        typedef struct { EVENT_TYPE EventType; LONG EventState; } EVENT_BASIC_INFORMATION;
        typedef enum { SemaphoreBasicInformation } SEMAPHORE_INFORMATION_CLASS;
        typedef struct { LONG CurrentCount; LONG MaximumCount; } SEMAPHORE_BASIC_INFORMATION;
        typedef struct { UNICODE_STRING Name; UNICODE_STRING TypeName; } OBJECT_DIRECTORY_INFORMATION;
        NTSTATUS WINAPI NtOpenDirectoryObject(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
        NTSTATUS WINAPI NtQueryDirectoryObject(HANDLE, PVOID, ULONG, BOOLEAN, BOOLEAN, PULONG, PULONG);
        NTSTATUS WINAPI NtQueryEvent(HANDLE, EVENT_INFORMATION_CLASS, PVOID, ULONG, PULONG);
        NTSTATUS WINAPI NtQuerySemaphore(HANDLE, SEMAPHORE_INFORMATION_CLASS, PVOID, ULONG, PULONG);

        """;

    [Fact]
    public void The_numbers_are_those_of_the_headers() => _ = Compile(Check.Assertions(Numbers())).Succeeded;

    [Fact]
    public void Wrong_numbers_are_refused()
    {
        string errors = Compile(Check.Assertions(
            Numbers().Select(check => check with { Value = check.Value + 1 }))).Error;

        Assert.All(Numbers(), check => Assert.Contains($"{check.Name} is ", errors, StringComparison.Ordinal));
    }

    [Fact]
    public void The_declarations_are_those_of_the_headers() => _ = Compile(Prototypes()).Succeeded;

    [Fact]
    public void A_wrong_declaration_is_refused()
        => Assert.NotEqual(0,
            Compile(Prototypes().Replace("static SIZE_T (WINAPI *test_VirtualQuery)",
                "static DWORD (WINAPI *test_VirtualQuery)", StringComparison.Ordinal)).ExitCode);

    private static IEnumerable<Check> Numbers()
    {
        // Named as in C, each of them: a number that is added later is checked without a change here.
        foreach (Type table in new[] { typeof(Kernel32), typeof(Advapi32), typeof(Ntdll),
            typeof(Win32Error) })
        {
            foreach ((string name, long value) in Abi.Numbers.Of(table))
                yield return new($"{table.Name}.{name}", name, value);
        }

        foreach (Type layout in new[] { typeof(Kernel32.MEMORY_BASIC_INFORMATION),
            typeof(Kernel32.SECURITY_ATTRIBUTES), typeof(Ntdll.PUBLIC_OBJECT_BASIC_INFORMATION),
            typeof(Kernel32.MEMORYSTATUSEX), typeof(Ntdll.UNICODE_STRING),
            typeof(Ntdll.OBJECT_ATTRIBUTES), typeof(Ntdll.OBJECT_DIRECTORY_INFORMATION),
            typeof(Ntdll.SEMAPHORE_BASIC_INFORMATION), typeof(Ntdll.EVENT_BASIC_INFORMATION) })
        {
            yield return new($"sizeof({layout.Name})", $"sizeof({layout.Name})", Marshal.SizeOf(layout));
            foreach (FieldInfo field in layout.GetFields(BindingFlags.Instance | BindingFlags.NonPublic))
            {
                yield return new(field.Name, $"offsetof({layout.Name}, {field.Name})",
                    Marshal.OffsetOf(layout, field.Name));
                yield return new($"sizeof {field.Name}", $"sizeof((({layout.Name} *)0)->{field.Name})",
                    Marshal.SizeOf(field.FieldType));
            }
        }
    }

    /// <summary>
    /// C that compiles only where each function has these parameters and this result, each typed as C types it; and
    /// where that type has the width and kind of the C# one, which is what the calling convention sees.
    /// </summary>
    private static string Prototypes()
    {
        MethodInfo[] declared = [.. new[] { typeof(Kernel32), typeof(Advapi32), typeof(Ntdll) }
            .SelectMany(
                library => library.GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Where(
                method => method.IsDefined(typeof(LibraryImportAttribute))
                    || (method.IsDefined(typeof(DllImportAttribute))
                        && !method.Name.Contains('<', StringComparison.Ordinal)))];
        Assert.Equal(s_signatures.Keys.Order(), declared.Select(method => method.Name).Order());
        return string.Concat(declared.Select(method =>
        {
            string[] c = s_signatures[method.Name];
            Type[] types = [method.ReturnType, .. method.GetParameters().Select(parameter => parameter.ParameterType)];
            Assert.Equal(c.Length, types.Length);
            return $"static {c[0]} (WINAPI *test_{method.Name})({string.Join(", ", c.Skip(1))}) = {method.Name};\n"
                + string.Concat(
                    types.Select(
                        (type, i) => $"_Static_assert(sizeof({c[i]}) == {Width(type)}, \"{method.Name} {i}\");\n"));
        }));
    }

    /// <summary>The result and the parameters, as the documentation of Windows types them; that these are right is what
    /// is compiled.</summary>
    private static readonly Dictionary<string, string[]> s_signatures = new()
    {
        ["CreateFileMappingW"] = ["HANDLE", "HANDLE", "LPSECURITY_ATTRIBUTES", "DWORD", "DWORD", "DWORD", "LPCWSTR"],
        ["OpenFileMappingW"] = ["HANDLE", "DWORD", "BOOL", "LPCWSTR"],
        ["MapViewOfFile"] = ["LPVOID", "HANDLE", "DWORD", "DWORD", "DWORD", "SIZE_T"],
        ["UnmapViewOfFile"] = ["BOOL", "LPCVOID"],
        ["VirtualQuery"] = ["SIZE_T", "LPCVOID", "PMEMORY_BASIC_INFORMATION", "SIZE_T"],
        ["CreateSemaphoreW"] = ["HANDLE", "LPSECURITY_ATTRIBUTES", "LONG", "LONG", "LPCWSTR"],
        ["OpenSemaphoreW"] = ["HANDLE", "DWORD", "BOOL", "LPCWSTR"],
        ["CreateEventW"] = ["HANDLE", "LPSECURITY_ATTRIBUTES", "BOOL", "BOOL", "LPCWSTR"],
        ["OpenEventW"] = ["HANDLE", "DWORD", "BOOL", "LPCWSTR"],
        ["SetEvent"] = ["BOOL", "HANDLE"],
        ["ResetEvent"] = ["BOOL", "HANDLE"],
        ["CreateMutexExW"] = ["HANDLE", "LPSECURITY_ATTRIBUTES", "LPCWSTR", "DWORD", "DWORD"],
        ["ReleaseMutex"] = ["BOOL", "HANDLE"],
        ["WaitForSingleObject"] = ["DWORD", "HANDLE", "DWORD"],
        ["LocalFree"] = ["HLOCAL", "HLOCAL"],
        ["ConvertStringSecurityDescriptorToSecurityDescriptorW"] = ["BOOL", "LPCWSTR", "DWORD",
            "PSECURITY_DESCRIPTOR *", "PULONG"],
        ["GetKernelObjectSecurity"] = ["BOOL", "HANDLE", "SECURITY_INFORMATION", "PSECURITY_DESCRIPTOR",
            "DWORD", "LPDWORD"],
        ["NtQueryObject"] = ["NTSTATUS", "HANDLE", "OBJECT_INFORMATION_CLASS", "PVOID", "ULONG", "PULONG"],
        ["GlobalMemoryStatusEx"] = ["BOOL", "LPMEMORYSTATUSEX"],
        ["NtOpenDirectoryObject"] = ["NTSTATUS", "PHANDLE", "ACCESS_MASK", "POBJECT_ATTRIBUTES"],
        ["NtQueryDirectoryObject"] = ["NTSTATUS", "HANDLE", "PVOID", "ULONG", "BOOLEAN", "BOOLEAN", "PULONG", "PULONG"],
        ["NtQueryEvent"] = ["NTSTATUS", "HANDLE", "EVENT_INFORMATION_CLASS", "PVOID", "ULONG", "PULONG"],
        ["NtQuerySemaphore"] = ["NTSTATUS", "HANDLE", "SEMAPHORE_INFORMATION_CLASS", "PVOID", "ULONG", "PULONG"],
        ["ReleaseSemaphore"] = ["BOOL", "HANDLE", "LONG", "LPLONG"],
    };

    // The others are pointers, handles, nuint and by-refs
    private static int Width(Type type)
        => type == typeof(byte) ? 1 : type == typeof(int) || type == typeof(uint) ? 4 : 8;

    private static ShellResult Compile(string source)
    {
        using var folder = new TempFolder();
        string compiler = Peers.Require("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64");
        return Shell.Run(compiler, ["-std=c11", "-Wall", "-Wno-unused-variable", "-Werror", "-fsyntax-only",
            folder.Write("windows.c", Headers + source)]);
    }
}
