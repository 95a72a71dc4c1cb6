using Xunit;

namespace NativeIpc.Testing;

/// <summary>
/// Programs that tests need beside .NET. A missing one is a visible skip on a developer's machine. On the Linux
/// machines of CI, which install eng/debian-packages.txt, it is a failure, so that a check cannot go missing unseen.
/// </summary>
internal static class Peers
{
    private static bool MustBeHere => OperatingSystem.IsLinux()
        && string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>The full path of a program on PATH, or of a file or folder given by its absolute path.</summary>
    /// <param name="debianPackage">The package it is in, as listed in eng/debian-packages.txt.</param>
    internal static string Require(string program, string debianPackage)
    {
        string? path = Find(program);
        if (path is null)
        {
            string reason = $"'{program}' is missing here (Debian package {debianPackage}).";
            if (MustBeHere) Assert.Fail(reason);
            Assert.Skip(reason);
        }

        return path;
    }

    private static string? Find(string program)
    {
        if (Path.IsPathRooted(program)) return Path.Exists(program) ? program : null;
        string file = OperatingSystem.IsWindows() ? program + ".exe" : program;
        return (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, file))
            .FirstOrDefault(File.Exists);
    }
}
