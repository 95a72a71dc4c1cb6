using System.Diagnostics;
using System.Runtime.InteropServices;

namespace NativeIpc.Faults;

/// <summary>One counted system call.</summary>
/// <param name="Number">Its number on x86-64.</param>
/// <param name="Arguments">Its six arguments.</param>
/// <param name="Result">What it gave; below zero an error number.</param>
/// <param name="Path">The path among its arguments; empty for none.</param>
/// <param name="IsMadeToFail">Whether the error is one of ours.</param>
internal sealed record SystemCall(long Number, long[] Arguments, long Result, string Path, bool IsMadeToFail)
{
    private const long O_CREAT = 0x40;

    /// <summary>Whether a file has come to be under its path, or may have.</summary>
    public bool MakesPath => Result >= 0 && ((Number == 257 && (Arguments[2] & O_CREAT) != 0) || Number is 265 or 83);

    /// <summary>Whether it takes its path away.</summary>
    public bool Unlinks => Number is 87 or 263;

    public override string ToString()
    {
        string arguments = string.Join(", ",
            Arguments.Take(Errors.CountOfArguments(Number))
                .Select(a => a is > -4096 and < 0x1_0000_0000 ? $"{a}" : $"0x{a:x}"));
        string path = Path.Length == 0 ? "" : $" \"{Path}\"";
        return $"{Errors.NameOf(Number)}({arguments}){path} = {Result}";
    }
}

/// <summary>Which calls fail. Numbers begin with 0.</summary>
/// <param name="Call">The number of the call; -1 for none.</param>
/// <param name="Error">Its error: see <see cref="Errors"/>.</param>
/// <param name="Then">The number of a second call, by which the library cleans up; -1 for none.</param>
/// <param name="ThenError">Its error.</param>
internal readonly record struct Plan(int Call, int Error, int Then = -1, int ThenError = 0)
{
    public static Plan None { get; } = new(-1, 0);
}

/// <summary>What faults.c has: built by the C compiler of the machine and loaded into this process.</summary>
internal static unsafe partial class Injector
{
    private const string Library = "nativeipc-faults";
    private const int SizeOfCall = (9 * sizeof(long)) + 72;
    private const int MostDescriptors = 1024;
    private const int Threads = 1;
    private static nint s_library;

    /// <summary>Puts the filter on this thread; the reason why that cannot be done, or null.</summary>
    public static string? Install(string folder)
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return "system calls are made to fail on Linux x86-64 only";
        string built = Path.Combine(folder, "faults.so");
        string source = Path.Combine(AppContext.BaseDirectory, "faults.c");
        try
        {
            string[] arguments = ["-shared", "-fPIC", "-O1", "-o", built, source];
            using Process compiler = Process.Start(Environment.GetEnvironmentVariable("CC") ?? "gcc", arguments);
            compiler.WaitForExit();
            if (compiler.ExitCode != 0) throw new InvalidOperationException("faults.c does not compile.");
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "there is no C compiler here (Debian package gcc)";
        }

        s_library = NativeLibrary.Load(built);
        NativeLibrary.SetDllImportResolver(typeof(Injector).Assembly,
            static (name, _, _) => name == Library ? s_library : 0);
        int number = fault_install();
        return number == 0 ? null : $"seccomp: {Marshal.GetPInvokeErrorMessage(number)}";
    }

    /// <summary>Counts the calls of this thread, or of all threads that it has started, from here on, and makes those
    /// of a plan fail.</summary>
    public static void Begin(in Plan plan, bool onAllThreads)
        => fault_begin(plan.Call, plan.Error, plan.Then, plan.ThenError, onAllThreads ? Threads : 0);

    /// <summary>Counts no more.</summary>
    /// <returns>How many there were.</returns>
    public static int End() => fault_end();

    /// <summary>
    /// How many calls were left alone so far: parts of a thread's start, at whose failure the runtime ends the process.
    /// </summary>
    public static int LeftAlone => fault_left_alone();

    /// <summary>The calls that were counted last.</summary>
    public static SystemCall[] Calls(int count)
    {
        var calls = new SystemCall[count];
        for (int i = 0; i < count; i++)
        {
            byte* at = (byte*)fault_call(i);
            var words = new ReadOnlySpan<long>(at, 9);
            calls[i] = new(words[0], words[1..7].ToArray(), words[7],
                Marshal.PtrToStringUTF8((nint)at + (9 * sizeof(long))) ?? "", words[8] != 0);
        }

        Debug.Assert(count < 2 || (nint)fault_call(1) - (nint)fault_call(0) == SizeOfCall);
        return calls;
    }

    /// <summary>Which descriptors are open.</summary>
    public static HashSet<int> Descriptors()
    {
        Span<byte> open = stackalloc byte[MostDescriptors];
        fixed (byte* first = open) fault_descriptors(first, MostDescriptors);
        HashSet<int> found = [];
        for (int i = 0; i < MostDescriptors; i++)
        {
            if (open[i] != 0) found.Add(i);
        }

        return found;
    }

    [LibraryImport(Library)]
    private static partial int fault_install();

    [LibraryImport(Library)]
    private static partial void fault_begin(int call, int error, int thenCall, int thenError, int allThreads);

    [LibraryImport(Library)]
    private static partial int fault_end();

    [LibraryImport(Library)]
    private static partial int fault_left_alone();

    [LibraryImport(Library)]
    private static partial nint fault_call(int index);

    [LibraryImport(Library)]
    private static partial void fault_descriptors(byte* open, int limit);
}
