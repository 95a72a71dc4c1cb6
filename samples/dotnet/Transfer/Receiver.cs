using System.Security.Cryptography;
using NativeIpc;

namespace Transfer;

/// <summary>The second process: opens what the three keys name, takes the file out of the ring and prints its
/// hash.</summary>
internal static class Receiver
{
    public static int Run(NativeIpcKey segmentKey, NativeIpcKey freeKey, NativeIpcKey filledKey)
    {
        using CancellationTokenSource parentEnded = WatchParent();
        using var segment = SharedMemory.OpenExisting(segmentKey, SharedMemoryAccess.Read);
        using var free = SystemSemaphore.OpenExisting(freeKey, Objects.SemaphoreOptions);
        using var filled = SystemSemaphore.OpenExisting(filledKey, Objects.SemaphoreOptions);
        Console.WriteLine("ready");

        var ring = new Ring(segment);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long count = 0;
        try
        {
            for (uint sequence = 0; ; sequence++)
            {
                if (!filled.TryAcquire(Peer.Patience, parentEnded.Token))
                    throw new TimeoutException("The sender is stuck.");
                ReadOnlySpan<byte> chunk = ring.Filled(sequence);
                if (chunk.IsEmpty) break;
                hash.AppendData(chunk);
                count += chunk.Length;
                free.Release();
            }
        }
        catch (OperationCanceledException)
        {
            Console.Error.WriteLine("Transfer: the process that started this one has ended.");
            return 3;
        }

        Console.WriteLine(new Receipt(Convert.ToHexStringLower(hash.GetHashAndReset()), count));
        return 0;
    }

    /// <summary>Standard input is a pipe from the parent that carries nothing; its end is the parent's end.</summary>
    public static CancellationTokenSource WatchParent()
    {
        var ended = new CancellationTokenSource();
        if (Console.IsInputRedirected)
        {
            var watch = new Thread(() =>
            {
                while (Console.In.Read() >= 0)
                {
                }

                try
                {
                    ended.Cancel();
                }
                catch (ObjectDisposedException)
                {
                    // The transfer was over first.
                }
            })
            { IsBackground = true };
            watch.Start();
        }

        return ended;
    }
}

/// <summary>What a receiver prints at the end: <c>sha256 DIGEST COUNT</c>.</summary>
internal sealed record Receipt(string Digest, long Count)
{
    public override string ToString() => $"sha256 {Digest} {Count}";

    public static Receipt? Parse(string line)
        => line.Split(' ') is ["sha256", { Length: 64 } digest, string count] && long.TryParse(count, out long bytes)
            ? new Receipt(digest, bytes) : null;
}
