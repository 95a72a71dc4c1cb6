namespace NativeIpc.Tool.Tests;

/// <summary>What each verb is tested with: every type of key that this system has.</summary>
public abstract class OneType : IDisposable
{
    private protected TestNames Names { get; } = new();

    public static Xunit.TheoryData<string> Types()
        => OperatingSystem.IsWindows() ? ["windows"] : ["posix", "systemv", "systemv-84"];

    private protected NativeIpcKey NewKey(string type) => Names.Next(NativeIpcKey.Parse(type + ":x").Type);

    /// <summary>A file that is gone after the test.</summary>
    private protected string NewFile() => Names.TrackPath(Path.Combine(TestNames.Folder, TestNames.NextName()));

    public void Dispose()
    {
        Names.Dispose();
        GC.SuppressFinalize(this);
    }
}
