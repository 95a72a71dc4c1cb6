using System.ComponentModel;
using System.Diagnostics;

namespace Transfer.Pictures;

/// <summary>How the second process is had: samples/c/viewer.c, samples/python/viewer.py or samples/qt/viewer, which
/// stand in the folder <c>viewers</c> beside this program. Disposing removes what was compiled.</summary>
internal sealed class ViewerProgram : IDisposable
{
    private static readonly string s_sources = Path.Combine(AppContext.BaseDirectory, "viewers");
    private static readonly string s_layouts = Path.Combine(AppContext.BaseDirectory, "layouts");

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nativeipc-demo-");

    private string Compiled => Path.Combine(_folder.FullName, "viewer");

    /// <summary>What starts it; null when there is nothing that does.</summary>
    public async Task<ProcessStartInfo?> FindAsync(bool inWindow, CancellationToken cancellation)
    {
        if (inWindow) return await FindQtAsync(cancellation);
        string source = Path.Combine(s_sources, "viewer.c");
        string[] compilers = Environment.GetEnvironmentVariable("CC") is { Length: > 0 } chosen
            ? [chosen] : ["cc", "gcc", "clang"];
        foreach (string compiler in compilers)
        {
            if (await RunAsync(compiler, ["-O2", "-std=c11", "-I", s_sources, "-I", s_layouts, "-o", Compiled, source],
                cancellation) is not null)
            {
                return new ProcessStartInfo(Compiled);
            }
        }

        const string Python = "python3";
        if (await RunAsync(Python, ["-c", "import platform, sys; assert sys.version_info >= (3, 9) and "
            + "platform.machine() == 'x86_64'"], cancellation) is null)
        {
            return null;
        }

        var start = new ProcessStartInfo(Python);
        start.ArgumentList.Add(Path.Combine(s_sources, "viewer.py"));
        start.Environment["PYTHONPATH"] = $"{s_sources}:{s_layouts}";
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        return start;
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private async Task<ProcessStartInfo?> FindQtAsync(CancellationToken cancellation)
    {
        string? flags = await RunAsync("pkg-config", ["--cflags", "--libs", "Qt6Gui"], cancellation);
        string? compiled = flags is null ? null : await RunAsync("c++", ["-O2", "-std=c++17", "-fPIC", "-I", s_sources,
            "-I", s_layouts, "-o", Compiled, Path.Combine(s_sources, "viewer.cpp"),
            .. flags.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)], cancellation);
        return compiled is null ? null : new ProcessStartInfo(Compiled);
    }

    /// <summary>What a program printed; null when it is not there or has nothing good to say. A source that does not
    /// compile is an error.</summary>
    private static async Task<string?> RunAsync(string program, string[] arguments, CancellationToken cancellation)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true,
            RedirectStandardError = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            return null;
        }

        using (process)
        {
            Task<string> messages = process.StandardError.ReadToEndAsync(cancellation);
            string output = await process.StandardOutput.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            if (process.ExitCode == 0) return output;
            if (!arguments.Contains("-o")) return null;
            throw new IOException($"{program} cannot compile the viewer:\n{(await messages).Trim()}");
        }
    }
}
