using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>Waits for a thing itself, with a watchdog.</summary>
internal static class Watch
{
    /// <summary>Until a condition holds; fails when the process ends before that.</summary>
    internal static void Until(Func<bool> condition, Process? process = null)
    {
        long started = Stopwatch.GetTimestamp();
        while (!condition())
        {
            Assert.False(process is { HasExited: true }, "The tool has ended.");
            Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(60), "The watchdog ended the wait.");
            Thread.Yield();
        }
    }

    /// <summary>Whether this process may look at every other one, so that what no process has open is known to be
    /// unused.</summary>
    internal static bool SeesAllProcesses
        => IsInFirstPidNamespace
            && Directory.GetDirectories("/proc").Where(path => int.TryParse(Path.GetFileName(path), out _))
                .All(MayBeRead);

    internal static bool IsInFirstPidNamespace
        => new FileInfo("/proc/self/ns/pid").LinkTarget is null or "pid:[4026531836]"; // PROC_PID_INIT_INO

    private static bool MayBeRead(string process)
    {
        try
        {
            _ = File.ReadAllText($"{process}/maps");
            return true;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
        catch (IOException)
        {
            return true; // it has ended
        }
    }

    /// <summary>Whether a process has a handler for a signal. SIGINT is handled by .NET only once the tool asks for it:
    /// with SIGHUP, which .NET leaves alone until then.</summary>
    internal static bool Catches(int processId, int signal)
        => Bits(processId, "SigCgt", signal) && Bits(processId, "SigCgt", 1);

    internal static bool Bits(int processId, string field, int signal)
    {
        string line = File.ReadLines($"/proc/{processId}/status")
            .Single(line => line.StartsWith(field + ":", StringComparison.Ordinal));
        return (ulong.Parse(line.AsSpan(field.Length + 1).Trim(), NumberStyles.AllowHexSpecifier,
            CultureInfo.InvariantCulture) >> (signal - 1) & 1) != 0;
    }

    /// <summary>Whether a process lives. One that has ended and was not waited for does not.</summary>
    internal static bool Lives(int processId)
    {
        try
        {
            return !File.ReadAllText($"/proc/{processId}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
