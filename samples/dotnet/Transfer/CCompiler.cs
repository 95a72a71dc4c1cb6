using System.ComponentModel;
using System.Diagnostics;

namespace Transfer;

/// <summary>Compiles samples/c/transfer.c into a temporary folder. Disposing removes the folder.</summary>
internal sealed class CCompiler : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("nativeipc-demo-");

    /// <summary>The compiled program; or null, and why there is none.</summary>
    public async Task<(PeerProgram? Program, string? WhyNot)> CompileAsync(CancellationToken cancellation)
    {
        string source = Path.Combine(_folder.FullName, "transfer.c");
        string program = Path.Combine(_folder.FullName, "transfer");
        await using (Stream text = typeof(CCompiler).Assembly.GetManifestResourceStream("transfer.c")!)
        await using (FileStream file = File.Create(source))
            await text.CopyToAsync(file, cancellation);

        string[] compilers = Environment.GetEnvironmentVariable("CC") is { Length: > 0 } chosen
            ? [chosen] : ["cc", "gcc", "clang"];
        foreach (string compiler in compilers)
        {
            var start = new ProcessStartInfo(compiler) { RedirectStandardError = true };
            string[] arguments = ["-O2", "-std=c11", "-pthread", "-o", program, source];
            foreach (string argument in arguments) start.ArgumentList.Add(argument);
            if (OperatingSystem.IsLinux()) start.ArgumentList.Add("-lrt"); // shm_open before glibc 2.34
            Process process;
            try
            {
                process = Process.Start(start)!;
            }
            catch (Win32Exception)
            {
                continue; // no such compiler
            }

            using (process)
            {
                string messages = await process.StandardError.ReadToEndAsync(cancellation);
                await process.WaitForExitAsync(cancellation);
                if (process.ExitCode != 0)
                    throw new IOException($"{compiler} cannot compile samples/c/transfer.c:\n{messages.Trim()}");
                return (new PeerProgram("C", program, []), null);
            }
        }

        return (null, $"no C compiler was found ({string.Join(", ", compilers)})");
    }

    public void Dispose() => _folder.Delete(recursive: true);
}
