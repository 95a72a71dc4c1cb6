using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Waits until a thread sleeps in futex(2), by what the kernel says (<c>proc_pid_syscall(5)</c>).</summary>
internal static class Sleeping
{
    private const long PageMask = 4095;

    /// <summary>Returns when the thread sleeps on a word at an offset of a page.</summary>
    /// <param name="thread">The thread's folder in <c>/proc</c>; that of a process is its first thread's.</param>
    /// <param name="offset">Bytes from the page's beginning.</param>
    internal static void Await(string thread, long offset)
        => Assert.True(SpinWait.SpinUntil(() => IsAsleep(thread, offset), Patience.Seconds(60)),
            $"{thread} does not sleep there.");

    /// <summary>Returns when so many threads of this process sleep on a word.</summary>
    internal static void AwaitHere(nint word, int count)
        => Assert.True(SpinWait.SpinUntil(() => ThreadsOn(word) >= count, Patience.Seconds(60)),
            $"{count} threads do not sleep there.");

    private static int ThreadsOn(nint word)
    {
        int count = 0;
        foreach (string thread in Directory.EnumerateDirectories("/proc/self/task"))
        {
            try
            {
                if (WordOf(thread) == word) count++;
            }
            catch (IOException)
            {
                // it has ended
            }
        }

        return count;
    }

    private static bool IsAsleep(string thread, long offset)
        => WordOf(thread) is { } word && (word & PageMask) == offset;

    private static long? WordOf(string thread)
    {
        string[] said = File.ReadAllText($"{thread}/syscall").Split(' ');
        return said[0] == (RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "98" : "202")
            ? Hexadecimal(said[1]) : null;
    }

    private static long Hexadecimal(string text)
        => long.Parse(text.AsSpan("0x".Length), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
