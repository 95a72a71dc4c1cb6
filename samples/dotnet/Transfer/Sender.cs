using System.Diagnostics;
using System.Security.Cryptography;
using NativeIpc;

namespace Transfer;

/// <summary>What came of one transfer.</summary>
internal sealed record Outcome(NativeIpcKeyType Type, string Language, long Bytes, TimeSpan Time, string? Digest,
    string? Failure)
{
    public bool Agrees => Failure is null;

    public string Speed => Agrees && Time > TimeSpan.Zero && Bytes > 0
        ? $"{Bytes / 1e6 / Time.TotalSeconds:N0} MB/s" : "-";

    /// <summary>The type as the text form of a key has it.</summary>
    public string TypeName => NameOf(Type);

    public static string NameOf(NativeIpcKeyType type) => new NativeIpcKey("", type).ToString().TrimEnd(':');
}

/// <summary>The first process: makes the objects, starts the second one, and feeds it the file.</summary>
internal static class Sender
{
    public static async Task<Outcome> SendAsync(string path, PeerProgram program, NativeIpcKeyType type, bool corrupt,
        IProgressView view, CancellationToken cancellation)
    {
        var keys = Objects.NewKeys(type);
        Outcome outcome;
        try
        {
            await using FileStream file = File.OpenRead(path);
            using Objects objects = Objects.Create(keys);
            using var peer = new Peer(program, keys.Segment, keys.Free, keys.Filled);
            if (await peer.ReadLineAsync(cancellation) != "ready")
                throw new IOException($"Process {peer.Id} is no receiver.");
            view.Started(peer.Id, keys.Segment);

            long started = Stopwatch.GetTimestamp();
            (string digest, long count) = await FeedAsync(file, objects, peer, corrupt, view, cancellation);
            string answer = await peer.ReadLineAsync(cancellation);
            TimeSpan time = Stopwatch.GetElapsedTime(started);
            await peer.WaitForExitAsync(cancellation);
            outcome = new Outcome(type, program.Language, count, time, digest, Compare(digest, count, answer));
        }
        catch (Exception failure) when (failure is IOException or TimeoutException or UnauthorizedAccessException)
        {
            outcome = new Outcome(type, program.Language, 0, default, null, failure.Message);
        }

        string[] leftovers = [.. Objects.FindLeftovers(keys)];
        if (leftovers.Length == 0) return outcome;
        string before = outcome.Failure is null ? "" : outcome.Failure + "; ";
        return outcome with { Failure = $"{before}left behind: {string.Join(", ", leftovers)}" };
    }

    private static async Task<(string Digest, long Count)> FeedAsync(FileStream file, Objects objects, Peer peer,
        bool corrupt, IProgressView view, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var ring = new Ring(objects.Segment);
        long count = 0;
        for (uint sequence = 0; ; sequence++)
        {
            await peer.AcquireAsync(objects.Free, cancellation);
            cancellation.ThrowIfCancellationRequested();

            // From the file straight into the segment.
            int length = file.ReadAtLeast(ring.Data(sequence), ring.Capacity, throwOnEndOfStream: false);
            hash.AppendData(ring.Data(sequence)[..length]);
            if (corrupt && sequence == 0 && length > 0) ring.Data(sequence)[length / 2] ^= 1;
            ring.Seal(sequence, length);
            objects.Filled.Release();
            if (length == 0) break;

            count += length;
            if (sequence % 64 == 63) view.Moved(count);
        }

        view.Moved(count);
        return (Convert.ToHexStringLower(hash.GetHashAndReset()), count);
    }

    private static string? Compare(string digest, long count, string answer)
    {
        if (Receipt.Parse(answer) is not { } receipt) return $"the receiver said \"{answer}\"";
        return receipt.Digest == digest && receipt.Count == count
            ? null : $"MISMATCH: sent {count} bytes, {digest}; received {receipt.Count} bytes, {receipt.Digest}";
    }
}
