using NativeIpc.Guides;
using NativeIpc.Testing;
using Xunit;

[assembly: AssemblyFixture(typeof(CompilerServer))]

namespace NativeIpc.Guides;

/// <summary>One compiler for all programs of this run, which ends with it: a start of the compiler takes eight times as
/// long as such a program.</summary>
public sealed class CompilerServer : IDisposable
{
    private static readonly string s_pipe = $"nativeipc-guides-{Environment.ProcessId}";

    /// <summary>What tells the compiler to ask the server, which the first one starts. Where it cannot, it compiles by
    /// itself. The seconds are for a run that is killed.</summary>
    internal static string[] Options { get; } = ["-shared:" + s_pipe, "-keepalive:60"];

    /// <inheritdoc/>
    public void Dispose()
    {
        string server = Path.Combine(Path.GetDirectoryName(Place.Compiler)!, "VBCSCompiler.dll");
        _ = Shell.Run(Place.Dotnet, ["exec", server, "-shutdown", "-pipename:" + s_pipe]);
    }
}
