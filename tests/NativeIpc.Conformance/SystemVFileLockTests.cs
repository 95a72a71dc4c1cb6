using NativeIpc.Interop.Unix;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What a process does while it holds a key file's lock, or waits for it: shown by the calls that it
/// makes.</summary>
public abstract class SystemVFileLockTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : SystemVProvider, new()
{
    private const int LOCK_EX = 2;
    private const int LOCK_NB = 4;

    [BackendFact(Needs.Linux)]
    public void Without_patience_a_held_key_file_is_tried_once_and_not_waited_for()
    {
        NativeIpcKey key = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
        string[] calls = Trace("flock,clock_nanosleep,nanosleep,futex", [], peer =>
        {
            peer.Ask($"shm open warm {key} rw timeout=0"); // with everything that happens once in a process
            peer.Ask("shm close warm");
            int held = Libc.open(key.NativeKey, Flags.O_RDONLY | Flags.O_CLOEXEC, 0);
            Assert.Equal(0, Libc.flock(held, LOCK_EX | LOCK_NB));
            Assert.Equal("LockError", peer.AskFailing($"shm open a {key} rw timeout=0"));
            Assert.Equal("LockError", peer.AskFailing($"shm createoropen a {key} 4096 timeout=0"));
            _ = Libc.close(held);
        });

        string[] refused = [.. calls.Where(
            call => call.Contains("flock(", StringComparison.Ordinal)
                && call.Contains("EAGAIN", StringComparison.Ordinal))];
        Assert.Equal(2, refused.Length);
        string thread = refused[0].Split(' ')[0];
        Assert.StartsWith(thread, refused[1], StringComparison.Ordinal);
        Assert.DoesNotContain(calls, call =>
            call.StartsWith(thread, StringComparison.Ordinal) && call.Contains("nanosleep", StringComparison.Ordinal));
    }

    [BackendFact(Needs.Linux)]
    public void The_pages_of_a_segment_are_filled_when_the_key_file_was_given_back()
    {
        NativeIpcKey key = NextKey();
        string[] calls = Trace("flock,madvise,shmat", [], peer =>
        {
            Assert.Equal("4194304 created", peer.Ask($"shm create a {key} 4194304 populate"));
            Assert.Equal("4194304 opened", peer.Ask($"shm open b {key} rw populate"));
        });

        // strace 5.10 has numbers for them.
        foreach ((string advice, string number) in new[] { ("MADV_POPULATE_WRITE", "0x17 /* MADV_"),
            ("MADV_POPULATE_READ", "0x16 /* MADV_") })
        {
            int filling = Array.FindIndex(calls, call => call.Contains(advice, StringComparison.Ordinal)
                || call.Contains(number, StringComparison.Ordinal));
            Assert.True(filling > 0, string.Join('\n', calls));
            string lastLock = calls[..filling].Last(call => call.Contains("flock(", StringComparison.Ordinal));
            Assert.Contains("LOCK_UN", lastLock, StringComparison.Ordinal);
        }
    }

    [BackendFact(Needs.Linux)]
    public void A_segment_that_cannot_be_filled_is_removed_with_its_key_file_and_one_that_was_there_stays()
    {
        NativeIpcKey key = NextKey(), there = NextKey();
        using SharedMemory segment = SharedMemory.CreateNew(there, 4096);
        Trace("madvise", ["-e", "inject=madvise:error=ENOMEM"], peer =>
        {
            Assert.Equal("OutOfResources", peer.AskFailing($"shm create a {key} 4194304 populate keep"));
            Assert.False(Backend.AnythingExists(key));
            Assert.Equal("OutOfResources", peer.AskFailing($"shm create a {key} 4194304 populate"));
            Assert.False(Backend.AnythingExists(key));
            Assert.Equal("OutOfResources", peer.AskFailing($"shm open a {there} rw populate"));
        });
        Assert.True(Backend.SegmentExists(there));
    }

    private string[] Trace(string which, string[] more, Action<PeerProcess> use)
    {
        string trace = Path.Combine(TestNames.Folder, TestNames.NextName() + ".trace");
        try
        {
            PeerProcess peer = Peer(Peers.Require("strace", "strace"),
                ["-f", "-qq", "-o", trace, "-e", $"trace={which}", "-e", "signal=none", .. more, PeerProcess.Program]);
            use(peer);
            peer.Quit();
            return File.ReadAllLines(trace);
        }
        finally
        {
            File.Delete(trace);
        }
    }
}
