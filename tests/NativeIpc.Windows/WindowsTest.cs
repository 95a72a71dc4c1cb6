using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>What every test here has: it is skipped elsewhere than on Windows and Wine, and its names are its
/// own.</summary>
[NeedsWindows("Windows kernel objects: runs on Windows, and on Linux under Wine (eng/wine-test.sh).")]
public abstract class WindowsTest
{
    private static int s_lastName;

    /// <summary>
    /// For SkipWhen. Under Wine 8 a test that ends by an exception, Assert.Skip too, makes a later one hang. That is
    /// xunit.v3 4.0.2 with .NET 10 there: seen without this library too, not on Linux; cause unknown. So what is known
    /// beforehand is skipped by the attribute.
    /// </summary>
    public static bool IsWine { get; } = OperatingSystem.IsWindows()
        && NativeLibrary.TryGetExport(NativeLibrary.Load("ntdll.dll"), "wine_get_version", out _);

    /// <summary>The functions of the C peer, a row of the matrix each.</summary>
    public static TheoryData<string> Functions => ["W", "A"];

    /// <summary>A name that no other test and no other process uses.</summary>
    protected static string NewName(string text = "nipc")
        => string.Create(CultureInfo.InvariantCulture,
            $"{text}-{Environment.ProcessId}-{Interlocked.Increment(ref s_lastName)}");

    protected static NativeIpcKey Key(string nativeKey) => new(nativeKey, NativeIpcKeyType.Windows);

    protected static NativeIpcKey NewKey() => Key(NewName());

    protected static NativeIpcException Fails(NativeIpcError error, int number, Action action)
    {
        NativeIpcException failure = Assert.Throws<NativeIpcException>(action);
        Assert.True((error, number) == (failure.Error, failure.NativeErrorCode),
            $"{failure.Error}, {failure.NativeErrorCode}: {failure.Message}");
        Assert.StartsWith("Cannot ", failure.Message, StringComparison.Ordinal);
        Assert.EndsWith(".", failure.Message, StringComparison.Ordinal);
        return failure;
    }

    /// <summary>Fails when what should be over soon is not.</summary>
    protected static async Task Soon(Task task)
        => await task.WaitAsync(Patience.Seconds(30), TestContext.Current.CancellationToken);

    /// <summary>Something blocking, on a thread of its own: the pool of a machine with few cores may be busy
    /// waiting.</summary>
    protected static Task Start(Action action)
        => Task.Factory.StartNew(action, CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
}
