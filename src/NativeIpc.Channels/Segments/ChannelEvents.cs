using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;

namespace NativeIpc.Channels.Segments;

/// <summary>What a channel on Windows has beside its segment: events of the kernel with its name and a suffix. An event
/// that exists is a role that is held; the kernel ends it with its holder. Two more wake the sides of a ring; the
/// readers of a topic sleep at one with a number, which is set once.</summary>
[SupportedOSPlatform("windows")]
internal sealed class ChannelEvents : IDisposable
{
    private const int MostTries = 8;

    private readonly NativeIpcKey _key;
    private readonly SystemEventOptions _options;
    private readonly Dictionary<long, SystemEvent> _roles = [];
    private readonly SystemEvent? _readerBell;
    private readonly SystemEvent? _writerBell;

    /// <param name="key">The key of the segment.</param>
    /// <param name="options">Those of the segment; null for the defaults.</param>
    /// <param name="hasBells">Whether it is a ring: the readers of a topic have other events.</param>
    public ChannelEvents(in NativeIpcKey key, SharedMemoryOptions? options, bool hasBells)
    {
        _key = key;
        _options = new SystemEventOptions { CurrentUserOnly = options?.CurrentUserOnly ?? false };
        if (options?.SecurityDescriptor is { } descriptor) _options.SecurityDescriptor = descriptor;
        if (!hasBells) return;
        _readerBell = SystemEvent.CreateOrOpen(KeyOf("reader-bell"), EventResetMode.AutoReset, options: _options);
        try
        {
            _writerBell = SystemEvent.CreateOrOpen(KeyOf("writer-bell"), EventResetMode.AutoReset, options: _options);
        }
        catch
        {
            _readerBell.Dispose();
            throw;
        }
    }

    /// <summary>Takes a role; false when another one has it.</summary>
    public bool TryTake(long at)
    {
        for (int tries = 0; tries < MostTries; tries++)
        {
            try
            {
                SystemEvent taken = SystemEvent.CreateNew(KeyOf(at), EventResetMode.ManualReset, options: _options);
                lock (_roles) _roles.Add(at, taken);
                return true;
            }
            catch (NativeIpcException there) when (there.Error == NativeIpcError.AlreadyExists)
            {
                // R1 Race: one that looks keeps it there for a moment. Safe because: this comes again.
                Thread.SpinWait(Random.Shared.Next(64 << tries));
            }
        }

        return false;
    }

    public void GiveUp(long at)
    {
        SystemEvent? taken;
        lock (_roles) _roles.Remove(at, out taken);
        Debug.Assert(taken is not null);
        taken?.Dispose();
    }

    /// <summary>Whether another instance or process has a role.</summary>
    public bool IsTakenByOther(long at)
    {
        lock (_roles)
        {
            if (_roles.ContainsKey(at)) return false;
        }

        if (!SystemEvent.TryOpenExisting(KeyOf(at), out SystemEvent? other, _options)) return false;
        other.Dispose();
        return true;
    }

    /// <summary>The event that is set when this bell rings; null for what one looks at from time to time.</summary>
    public SystemEvent? BellAt(int at) => at switch
    {
        ChannelLayout.ReaderBellAt => _readerBell,
        ChannelLayout.WriterBellAt => _writerBell,
        _ => null,
    };

    /// <summary>The event at which readers of a topic sleep while the number is this one. It exists as long as one of
    /// them has it.</summary>
    public SystemEvent OpenWake(uint number)
        => SystemEvent.CreateOrOpen(KeyOf(WakeName(number)), EventResetMode.ManualReset, options: _options);

    /// <summary>Wakes the readers that sleep at this number.</summary>
    public void Wake(uint number)
    {
        if (!SystemEvent.TryOpenExisting(KeyOf(WakeName(number)), out SystemEvent? wake, _options)) return;
        using (wake) wake.Set();
    }

    public void Dispose()
    {
        _readerBell?.Dispose();
        _writerBell?.Dispose();
        lock (_roles)
        {
            foreach (SystemEvent taken in _roles.Values) taken.Dispose();
            _roles.Clear();
        }
    }

    private static string WakeName(uint number) => "wake-" + number.ToString(CultureInfo.InvariantCulture);

    private NativeIpcKey KeyOf(long at) => KeyOf(at switch
    {
        ChannelLayout.MakingByte => "making",
        ChannelLayout.WriterByte => "writer",
        _ => "reader",
    });

    private NativeIpcKey KeyOf(string what) => _key.WithNativeKey($"{_key.NativeKey}.nativeipc-{what}");
}
