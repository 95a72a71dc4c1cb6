using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace BusOnWindowsApi;

/// <summary>A bus between the processes of one user: what one publishes, all that have joined receive, in one order.
/// Written as libraries for Windows are: a named map, a mutex, and for each member a semaphore.</summary>
/// <remarks>
/// The map has a header, a table of members and a ring of messages. A message counts from the moment when the header's
/// number of messages counts it, which is the last step of publishing: so whoever is killed before has published
/// nothing. A member's semaphore says that there may be something to read. A member is alive as long as its semaphore
/// has a handle: that is how Windows ends named objects, and what this bus relies on.
/// </remarks>
public sealed class MessageBus : IDisposable
{
    private const int Magic = 0x5355424E;
    private const int Members = 16;
    private const int LongestMessage = 240;

    private const long MagicAt = 0;
    private const long WrittenAt = 8;
    private const long NextMemberAt = 16;
    private const long MembersAt = 64;
    private const long RingAt = MembersAt + (Members * sizeof(long));
    private const int SlotSize = 256;

    private readonly string _name;
    private readonly int _slots;
    private readonly Mutex _mutex;
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly EventWaitHandle _closed;
    private readonly Semaphore _pending;
    private readonly long _member;
    private readonly byte[] _buffer = new byte[LongestMessage];
    private long _next;

    /// <summary>Joins a bus; makes it if nobody has.</summary>
    /// <param name="name">Its name, the same for all.</param>
    /// <param name="slots">How many messages one may lag behind before it misses some.</param>
    public MessageBus(string name, int slots = 1024)
    {
        _name = name;
        _slots = slots;
        _mutex = new Mutex(false, Part("mutex"));
        _closed = new EventWaitHandle(false, EventResetMode.ManualReset, Part("closed"));
        using (Enter())
        {
            _map = MemoryMappedFile.CreateOrOpen(Part("map"), RingAt + ((long)slots * SlotSize));
            _view = _map.CreateViewAccessor();
            if (_view.ReadInt32(MagicAt) != Magic)
            {
                _view.Write(NextMemberAt, 1L);
                _view.Write(MagicAt, Magic);
            }

            _member = _view.ReadInt64(NextMemberAt);
            _view.Write(NextMemberAt, _member + 1);
            _pending = new Semaphore(0, int.MaxValue, SemaphoreOf(_member));
            _next = _view.ReadInt64(WrittenAt);
            Register();
        }
    }

    /// <summary>How many messages this member was too slow for.</summary>
    public long Missed { get; private set; }

    /// <summary>How often this member found that another one was killed in the middle of something.</summary>
    public int Repaired { get; private set; }

    /// <summary>Publishes a message to all members, this one included.</summary>
    public void Publish(string message)
    {
        using (Enter())
        {
            int length = Encoding.UTF8.GetBytes(message, _buffer);
            long written = _view.ReadInt64(WrittenAt);
            long slot = SlotOf(written);
            _view.Write(slot, length);
            _view.WriteArray(slot + sizeof(int), _buffer, 0, length);
            _view.Write(WrittenAt, written + 1);
            Tell();
        }
    }

    /// <summary>Receives the next message, waiting for it at most for a time.</summary>
    /// <returns>False when the time passed, or the bus was closed.</returns>
    public bool TryReceive(TimeSpan timeout, [NotNullWhen(true)] out string? message)
    {
        long begun = Environment.TickCount64;
        while (true)
        {
            if (TryRead(out message)) return true;
            TimeSpan rest = timeout - TimeSpan.FromMilliseconds(Environment.TickCount64 - begun);
            if (rest < TimeSpan.Zero) return false;
            if (WaitHandle.WaitAny([_pending, _closed], rest) != 0) return TryRead(out message);
        }
    }

    /// <summary>Tells all members that there is nothing more to come.</summary>
    public void Close() => _closed.Set();

    /// <summary>Leaves the bus. The last one to leave ends it.</summary>
    public void Dispose()
    {
        using (Enter())
        {
            for (int i = 0; i < Members; i++)
            {
                if (_view.ReadInt64(MemberAt(i)) == _member) _view.Write(MemberAt(i), 0L);
            }
        }

        _pending.Dispose();
        _view.Dispose();
        _map.Dispose();
        _closed.Dispose();
        _mutex.Dispose();
    }

    private bool TryRead([NotNullWhen(true)] out string? message)
    {
        message = null;
        using (Enter())
        {
            long written = _view.ReadInt64(WrittenAt);
            if (_next == written) return false;
            if (written - _next > _slots)
            {
                Missed += written - _next - _slots;
                _next = written - _slots;
            }

            long slot = SlotOf(_next++);
            int length = _view.ReadInt32(slot);
            _view.ReadArray(slot + sizeof(int), _buffer, 0, length);
            message = Encoding.UTF8.GetString(_buffer, 0, length);
            return true;
        }
    }

    /// <summary>Takes the mutex, and sets right what a killed member left.</summary>
    private Held Enter()
    {
        try
        {
            _mutex.WaitOne();
        }
        catch (AbandonedMutexException)
        {
            // The header tells what was published. Its reader may not have been told.
            Repaired++;
            if (_view is not null) Tell();
        }

        return new Held(_mutex);
    }

    private void Register()
    {
        for (int i = 0; i < Members; i++)
        {
            long member = _view.ReadInt64(MemberAt(i));
            if (member != 0 && Semaphore.TryOpenExisting(SemaphoreOf(member), out Semaphore? living))
            {
                living.Dispose();
                continue;
            }

            _view.Write(MemberAt(i), _member);
            return;
        }

        throw new InvalidOperationException($"The bus has {Members} members already.");
    }

    /// <summary>Wakes the members, and forgets those that have died.</summary>
    private void Tell()
    {
        for (int i = 0; i < Members; i++)
        {
            long member = _view.ReadInt64(MemberAt(i));
            if (member == 0) continue;
            if (member == _member) _pending.Release();
            else if (TryFind(member, out Semaphore? other))
            {
                // This handle alone does not keep it: it is opened for a moment only.
                other.Release();
                other.Dispose();
            }
            else _view.Write(MemberAt(i), 0L);
        }
    }

    private bool TryFind(long member, [NotNullWhen(true)] out Semaphore? other)
        => Semaphore.TryOpenExisting(SemaphoreOf(member), out other);

    private string Part(string what) => $@"Local\{_name}.{what}";

    private string SemaphoreOf(long member) => Part($"pending.{member}");

    private static long MemberAt(int index) => MembersAt + (index * sizeof(long));

    private long SlotOf(long message) => RingAt + (message % _slots * SlotSize);

    private readonly struct Held(Mutex mutex) : IDisposable
    {
        public void Dispose() => mutex.ReleaseMutex();
    }
}
