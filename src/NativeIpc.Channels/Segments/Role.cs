using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using NativeIpc.Channels.Interop;

namespace NativeIpc.Channels.Segments;

/// <summary>The role of the writer or of the reader of a channel: one lock of the kernel, and a note for
/// people.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
internal sealed class Role(ChannelSegment segment, long lockAt, int noteAt, string name)
{
    private const int MostLooks = 100;

    // How late the death of a holder is seen by one that waits for the role.
    private static readonly TimeSpan s_slice = TimeSpan.FromMilliseconds(50);
    private static readonly (int ProcessId, ulong StartTime, ulong Namespace) s_own = Own();

    private const int Free = 0, Tried = 1, Held = 2;

    private int _here; // which of these, by this instance

    /// <summary>Takes it.</summary>
    /// <param name="until">Until when to wait for it.</param>
    /// <param name="wasKilled">Whether the last holder was killed.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>False when another one had it for as long.</returns>
    public bool TryTake(in Until until, out bool wasKilled, CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ObjectDisposedException.ThrowIf(segment.IsDisposed, segment);
            uint turn = Volatile.Read(ref segment.Word(noteAt + ChannelLayout.TurnAt));
            if (TryTakeOnce(out wasKilled)) return true;
            if (until.IsOver) return false;
            segment.Sleep(noteAt + ChannelLayout.TurnAt, turn, until.Slice(s_slice), cancellationToken);
        }
    }

    /// <summary>Gives it up.</summary>
    public void GiveUp()
    {
        Debug.Assert(Volatile.Read(ref _here) == Held);
        Volatile.Write(ref segment.Word(noteAt + ChannelLayout.IsHeldAt), 0);
        segment.Unlock(lockAt);
        Volatile.Write(ref _here, Free);
        Interlocked.Increment(ref segment.Word(noteAt + ChannelLayout.TurnAt));
        segment.Wake(noteAt + ChannelLayout.TurnAt, int.MaxValue);
    }

    public SharedChannelPeer Look()
    {
        // R2 Race: it is taken between the look at the lock and that at the note, which then is not of one that was
        // killed. Safe because: the second look sees that one's lock, or its turn if it has given it up since.
        for (int tries = 0; tries < MostLooks; tries++)
        {
            uint turn = Volatile.Read(ref segment.Word(noteAt + ChannelLayout.TurnAt));
            if (Volatile.Read(ref _here) == Held)
                return new SharedChannelPeer(SharedChannelPeerState.Living, s_own.ProcessId);
            if (segment.IsLockedByOther(lockAt)) return LookAtHolder(segment, noteAt);
            ChannelStop.At("role.looked");
            bool isNoted = Volatile.Read(ref segment.Word(noteAt + ChannelLayout.IsHeldAt)) != 0;
            if (!isNoted) return new SharedChannelPeer(SharedChannelPeerState.None, 0);
            int processId = NotedProcess(segment, noteAt, out _);
            if (Volatile.Read(ref _here) != Held && !segment.IsLockedByOther(lockAt)
                && Volatile.Read(ref segment.Word(noteAt + ChannelLayout.TurnAt)) == turn)
            {
                return new SharedChannelPeer(SharedChannelPeerState.Killed, processId);
            }
        }

        return new SharedChannelPeer(SharedChannelPeerState.Living, 0); // taken and given up all the time
    }

    /// <summary>Says in a note who this process is.</summary>
    /// <param name="segment">The segment.</param>
    /// <param name="noteAt">Where the note is.</param>
    /// <param name="mark">What stands in its last word, which is written last.</param>
    internal static void WriteNote(ChannelSegment segment, int noteAt, uint mark)
    {
        segment.Word(noteAt + ChannelLayout.ProcessIdAt) = (uint)s_own.ProcessId;
        segment.LongWord(noteAt + ChannelLayout.StartTimeAt) = s_own.StartTime;
        segment.LongWord(noteAt + ChannelLayout.NamespaceAt) = s_own.Namespace;
        Volatile.Write(ref segment.Word(noteAt + ChannelLayout.IsHeldAt), mark);
    }

    /// <summary>What a note says of one that lives.</summary>
    internal static SharedChannelPeer LookAtHolder(ChannelSegment segment, int noteAt)
    {
        bool isNoted = Volatile.Read(ref segment.Word(noteAt + ChannelLayout.IsHeldAt)) != 0;
        int processId = NotedProcess(segment, noteAt, out ulong start);
        if (!isNoted || processId == 0) return new SharedChannelPeer(SharedChannelPeerState.Living, 0);
        if (OperatingSystem.IsWindows()) return new SharedChannelPeer(SharedChannelPeerState.Living, processId);
        if (!TryReadProcess(processId.ToString(CultureInfo.InvariantCulture), out char state, out ulong started)
            || started != start)
        {
            return new SharedChannelPeer(SharedChannelPeerState.Living, 0); // on its way out, or the note is garbage
        }

        return new SharedChannelPeer(
            state is 'T' or 't' ? SharedChannelPeerState.Stopped : SharedChannelPeerState.Living, processId);
    }

    /// <summary>Says who has it.</summary>
    public SharedChannelException Taken()
    {
        SharedChannelPeer peer = Look();
        string who = peer switch
        {
            { ProcessId: 0 } => "another process",
            { State: SharedChannelPeerState.Stopped } => $"process {peer.ProcessId}, which is stopped: continue it "
                + "(kill -CONT) or end it. Process " + peer.ProcessId,
            _ => $"process {peer.ProcessId}",
        };
        return new SharedChannelException(SharedChannelError.RoleTaken, segment.Key,
            $"Cannot be the {name} of {segment.Key}: {who} is. There is one at a time.");
    }

    private bool TryTakeOnce(out bool wasKilled)
    {
        wasKilled = false;

        // Two of one instance share the open file description, so the kernel would let both.
        if (Interlocked.CompareExchange(ref _here, Tried, Free) != Free) return false;
        int number = segment.TryLock(lockAt);
        if (number != 0)
        {
            Volatile.Write(ref _here, Free);
            return RoleLocks.IsTaken(number) ? false : throw segment.Refused(number);
        }

        Volatile.Write(ref _here, Held);
        ChannelStop.At("role.locked");
        wasKilled = Volatile.Read(ref segment.Word(noteAt + ChannelLayout.IsHeldAt)) != 0;

        // R1 Race: it is killed among these. Safe because: they are for people; the lock alone says who has the role.
        WriteNote(segment, noteAt, 1);
        ChannelStop.At("role.noted");
        Interlocked.Increment(ref segment.Word(noteAt + ChannelLayout.TurnAt));
        return true;
    }

    // Each before what the caller looks at next: whether the note is still the same one's.
    internal static int NotedProcess(ChannelSegment segment, int noteAt, out ulong start)
    {
        start = Volatile.Read(ref segment.LongWord(noteAt + ChannelLayout.StartTimeAt));
        return Volatile.Read(ref segment.LongWord(noteAt + ChannelLayout.NamespaceAt)) == s_own.Namespace
            ? (int)Volatile.Read(ref segment.Word(noteAt + ChannelLayout.ProcessIdAt)) : 0;
    }

    private static (int ProcessId, ulong StartTime, ulong Namespace) Own()
    {
        if (!OperatingSystem.IsLinux()) return (Environment.ProcessId, 0, 0);
        _ = TryReadProcess("self", out _, out ulong start);
        string link = new FileInfo("/proc/self/ns/pid").LinkTarget ?? "";
        int open = link.IndexOf('[', StringComparison.Ordinal);
        _ = ulong.TryParse(open < 0 ? "" : link.AsSpan(open + 1).TrimEnd(']'), CultureInfo.InvariantCulture,
            out ulong inode);
        return (Environment.ProcessId, start, inode);
    }

    /// <summary>Reads the state and the start time of a process (proc_pid_stat(5)).</summary>
    private static bool TryReadProcess(string process, out char state, out ulong start)
    {
        state = '?';
        start = 0;
        try
        {
            string text = File.ReadAllText($"/proc/{process}/stat");
            string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            state = fields[0][0];
            return ulong.TryParse(fields[19], CultureInfo.InvariantCulture, out start);
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException or ArgumentException
            or IndexOutOfRangeException)
        {
            return false;
        }
    }
}
