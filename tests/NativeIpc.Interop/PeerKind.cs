using Xunit;

namespace NativeIpc.Foreign;

/// <summary>What a peer shares through one back end. Flags, so that a scenario can ask for several.</summary>
[Flags]
public enum Has
{
    None = 0,
    Segment = 1,

    /// <summary>Attaching for reading only.</summary>
    ReadOnly = 2,

    /// <summary>The lock of a segment.</summary>
    Lock = 4,

    /// <summary>Semaphores, in every use.</summary>
    Semaphore = 8,

    All = Segment | ReadOnly | Lock | Semaphore,
}

/// <summary>The back ends as the peers have them: two kinds of keys, and the System V keys that Qt before 6.6 makes of
/// a name.</summary>
public static class BackEnd
{
    public const string Posix = "posix";
    public const string SystemV = "systemv";
    public const string Legacy = "legacy";
}

/// <summary>Which side makes the object.</summary>
public static class Direction
{
    /// <summary>We create and they open.</summary>
    public const string Ours = "ours";

    /// <summary>They create and we open.</summary>
    public const string Theirs = "theirs";
}

/// <summary>A program of another language, with what it has on each back end: the table of docs/interop.md.</summary>
public sealed record PeerKind(string Name, string Title, params (string BackEnd, Has Has)[] BackEnds)
{
    /// <summary>Every peer for Linux. Those of Windows run under Wine, in tests of their own.</summary>
    public static IReadOnlyList<PeerKind> All { get; } =
    [
        new("qt5.15", "Qt 5.15", (BackEnd.Legacy, Has.All), (BackEnd.SystemV, Has.Segment | Has.ReadOnly)),
        new("qt6.4", "Qt 6.4", (BackEnd.Legacy, Has.All), (BackEnd.SystemV, Has.Segment | Has.ReadOnly)),
        new("qt6.8", "Qt 6.8", (BackEnd.Posix, Has.All), (BackEnd.SystemV, Has.All), (BackEnd.Legacy, Has.All)),
        new("c", "C, glibc", (BackEnd.Posix, Has.All), (BackEnd.SystemV, Has.All)),
        new("c-musl", "C, musl", (BackEnd.Posix, Has.Segment | Has.ReadOnly), (BackEnd.SystemV, Has.All)),
        new("boost", "C++ Boost", (BackEnd.Posix, Has.All), (BackEnd.SystemV, Has.Segment | Has.ReadOnly)),
        new("python", "Python", (BackEnd.Posix, Has.Segment | Has.Lock | Has.Semaphore), (BackEnd.SystemV, Has.All)),
        new("perl", "Perl", (BackEnd.SystemV, Has.All)),
        // Its own lock only: sem_get() makes sets of three
        new("php", "PHP", (BackEnd.SystemV, Has.Segment | Has.ReadOnly | Has.Lock)),
    ];

    public bool IsQt => Name.StartsWith("qt", StringComparison.Ordinal);

    /// <summary>Qt with QNativeIpcKey.</summary>
    public bool HasKeyText => Name == "qt6.8";

    public static PeerKind Named(string name) => All.Single(kind => kind.Name == name);

    public Has On(string backEnd) => BackEnds.FirstOrDefault(pair => pair.BackEnd == backEnd).Has;

    /// <summary>Peer and back end for each that matches.</summary>
    public static TheoryData<string, string> Each(Func<PeerKind, string, Has, bool> matches)
    {
        var data = new TheoryData<string, string>();
        foreach (PeerKind kind in All)
        {
            foreach ((string backEnd, Has has) in kind.BackEnds)
            {
                if (matches(kind, backEnd, has)) data.Add(kind.Name, backEnd);
            }
        }

        return data;
    }

    /// <summary>Peer, back end and direction for each that matches.</summary>
    public static TheoryData<string, string, string> EachWay(Func<PeerKind, string, Has, bool> matches)
    {
        var data = new TheoryData<string, string, string>();
        foreach (TheoryDataRow<string, string> row in Each(matches))
        {
            data.Add(row.Data.Item1, row.Data.Item2, Direction.Ours);
            data.Add(row.Data.Item1, row.Data.Item2, Direction.Theirs);
        }

        return data;
    }
}
