using System.Diagnostics;
using NativeIpc;

namespace Transfer;

/// <summary>Shows how far a transfer is.</summary>
internal interface IProgressView
{
    void Started(int processId, NativeIpcKey key);

    void Moved(long bytes);
}

/// <summary>Plain lines, for files and pipes: a start, and a sign of life every other second.</summary>
internal sealed class LineView(string name, long size) : IProgressView
{
    private long _last = Stopwatch.GetTimestamp();

    public void Started(int processId, NativeIpcKey key)
        => Console.WriteLine($"{name}: process {processId} receives through {key}");

    public void Moved(long bytes)
    {
        if (Stopwatch.GetElapsedTime(_last) < TimeSpan.FromSeconds(2)) return;
        _last = Stopwatch.GetTimestamp();
        Console.WriteLine($"{name}: {bytes:N0} of {size:N0} bytes");
    }
}
