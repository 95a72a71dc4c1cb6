using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace NativeIpc.Tool.Running;

/// <summary>What make(1) and those who speak its protocol are told by their environment.</summary>
internal static partial class MakeFlags
{
    public const string Variable = "MAKEFLAGS";

    /// <summary>Names a jobserver in place of the one, and of the number of jobs, that is named.</summary>
    /// <param name="flags">The flags that are there; null for none.</param>
    /// <param name="jobserver">What make calls <c>--jobserver-auth</c>.</param>
    public static string With(string? flags, string jobserver)
    {
        string[] words = (flags ?? "").Split(' ');
        int end = Array.IndexOf(words, "--"); // then variables
        string[] options = end < 0 ? words : words[..end];
        return string.Join(' ', [
            .. options.Where(word => word.Length > 0 && !OfJobs().IsMatch(word)), "-j", $"--jobserver-auth={jobserver}",
            .. words[options.Length..]]).TrimStart();
    }

    /// <summary>Whether a command is a make that takes descriptors and no path: GNU make before 4.4. Others are not
    /// asked.</summary>
    public static bool NeedsDescriptors(Command command)
    {
        if (Path.GetFileName(command.Words[0]) is not ("make" or "gmake")) return false;
        var start = new ProcessStartInfo(command.FindProgram(), ["--version"])
            { UseShellExecute = false, RedirectStandardOutput = true };
        try
        {
            using Process make = Process.Start(start)!;
            Match version = Version().Match(make.StandardOutput.ReadToEnd());
            make.WaitForExit();
            return version.Success && (Number(version, 1), Number(version, 2)).CompareTo((4, 4)) < 0;
        }
        catch (Win32Exception)
        {
            return false; // it is said when it is to be started
        }
    }

    private static int Number(Match match, int group)
        => int.Parse(match.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(-j\d*|--jobs(=\d*)?|--jobserver-(auth|fds)=.*)$")]
    private static partial Regex OfJobs();

    [GeneratedRegex(@"^GNU Make (\d{1,4})\.(\d{1,4})")]
    private static partial Regex Version();
}
