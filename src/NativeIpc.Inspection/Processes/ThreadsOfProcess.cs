using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.Inspection.Processes;

/// <summary>The system calls in which the threads of a process sleep, by <c>/proc/PID/task/TID/syscall</c> (proc(5)):
/// only of processes that this user may trace.</summary>
internal static class ThreadsOfProcess
{
    private static readonly int s_futex = Futex.Number(RuntimeInformation.ProcessArchitecture);
    private static readonly int s_semop = SystemCalls.Semop(RuntimeInformation.ProcessArchitecture);
    private static readonly int s_semtimedop = SystemCalls.Semtimedop(RuntimeInformation.ProcessArchitecture);

    /// <summary>Whether a thread sleeps on a word of memory that fits.</summary>
    internal static bool AnySleepsOn(int process, Func<ulong, bool> fits)
        => Calls(process).Any(call => call.Number == s_futex && fits(call.First));

    /// <summary>How many threads wait in an operation on a System V set.</summary>
    internal static int CountWaitingForSet(int process, int id)
        => Calls(process)
            .Count(call => call.Number is { } number && (number == s_semop || number == s_semtimedop)
                && (int)call.First == id);

    private static IEnumerable<(int? Number, ulong First)> Calls(int process)
    {
        foreach (string thread in SystemText.Folders(
            string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/task")))
        {
            // "202 0x7f54254e8000 0x9 …"; "running" for one that does not sleep.
            if (SystemText.FirstLine(thread + "/syscall") is not { } line) continue;
            string[] words = line.Split(' ', 3);
            if (words.Length < 2 || !int.TryParse(words[0], NumberStyles.None, CultureInfo.InvariantCulture,
                out int number))
                continue;
            if (!words[1].StartsWith("0x", StringComparison.Ordinal)) continue;
            if (ulong.TryParse(words[1].AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
                out ulong first))
                yield return (number, first);
        }
    }
}
