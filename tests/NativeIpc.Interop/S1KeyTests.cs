using System.Globalization;
using System.Text;
using Xunit;

namespace NativeIpc.Foreign;

/// <summary>Scenario 1: both sides make the same key of the same name, and meet under it.</summary>
public sealed class S1KeyTests : Scenario
{
    protected override int Number => 1;

    private static readonly string[] s_kinds = ["plain", "unicode", "percent", "longest"];

    public static TheoryData<string, string, string, string> Names()
    {
        var data = new TheoryData<string, string, string, string>();
        foreach (TheoryDataRow<string, string, string> row in PeerKind.EachWay((_, _, has) => has.HasFlag(Has.Segment)))
        {
            foreach (string kind in s_kinds) data.Add(row.Data.Item1, row.Data.Item2, row.Data.Item3, kind);
        }

        return data;
    }

    public static TheoryData<string, string, string> KeyText() => PeerKind.EachWay((kind, _, _) => kind.HasKeyText);

    public static TheoryData<string, string, string> LegacyNames()
        => PeerKind.EachWay((kind, backEnd, _) => kind.IsQt && backEnd == BackEnd.Legacy);

    private static string NameOf(string kind, int longest)
    {
        string unique = InteropKeys.NextName();
        string name = kind switch
        {
            "unicode" => unique + "-größe-日本-𝄞",
            "percent" => unique + "-50%25 of 100%, %zz",
            "longest" => unique,
            _ => unique,
        };
        return kind == "longest" ? name.PadRight(longest - (Encoding.UTF8.GetByteCount(name) - name.Length),
            'x') : name;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void both_meet_under_a_native_key(string peer, string backEnd, string direction, string kind)
        => Run(peer, backEnd, direction, stage =>
    {
        // A file name has 255 bytes: sem.NAME for the lock that Qt makes with every segment; 18 + letters + 40 in
        // legacy keys.
        int longest = backEnd switch
        {
            BackEnd.Posix => stage.Kind.IsQt ? 251 : 255,
            BackEnd.Legacy => 197,
            _ => 255,
        };
        string name = kind == "longest" && backEnd == BackEnd.Legacy ? string.Create(CultureInfo.InvariantCulture,
            $"{InteropKeys.NextName()}").PadRight(197, 'x') : NameOf(kind, longest);
        NativeIpcKey key = stage.Keys.Segment(backEnd, name);
        SharedMemory segment = stage.Share(key);
        segment.Write(0, "from us"u8);
        Assert.Equal(Convert.ToHexStringLower("from us"u8), stage.Peer.Ask("shm read a 0 7"));
    });

    [Theory]
    [MemberData(nameof(KeyText))]
    public void key_text_means_the_same_to_both(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        NativeIpcKeyType type = stage.IsPosix ? NativeIpcKeyType.PosixRealtime : NativeIpcKeyType.SystemV;
        foreach (string name in s_kinds.Select(kind => NameOf(kind, 197)).Append("a/b c").Append("?#&=+;"))
        {
            NativeIpcKey segment = backEnd == BackEnd.Legacy
                ? SharedMemory.LegacyNativeKey(name, type) : SharedMemory.PlatformSafeKey(name, type);
            NativeIpcKey semaphore = backEnd == BackEnd.Legacy
                ? SystemSemaphore.LegacyNativeKey(name, type) : SystemSemaphore.PlatformSafeKey(name, type);
            if (stage.IsOurs)
            {
                Assert.Equal($"{(int)type} {Quoted(segment.NativeKey)} {Quoted(segment.LegacyKey)}".TrimEnd(),
                    stage.Peer.Ask($"key parse {ForeignPeer.Word(segment)}"));
                Assert.Equal($"{(int)type} {Quoted(semaphore.NativeKey)} {Quoted(semaphore.LegacyKey)}".TrimEnd(),
                    stage.Peer.Ask($"key parse {ForeignPeer.Word(semaphore)}"));
            }
            else
            {
                string how = backEnd == BackEnd.Legacy ? "legacy" : "safe";
                Assert.Equal(segment, NativeIpcKey.Parse(
                    stage.Peer.Ask($"key {how} shm {backEnd} {ForeignPeer.Word(name)}"), CultureInfo.InvariantCulture));
                Assert.Equal(semaphore, NativeIpcKey.Parse(
                    stage.Peer.Ask($"key {how} sem {backEnd} {ForeignPeer.Word(name)}"), CultureInfo.InvariantCulture));
            }
        }
    });

    [Theory]
    [MemberData(nameof(KeyText))]
    public void qt_meets_by_native_key_too(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        // A key that remembers a legacy name has another lock than the same native key without it, so the bytes are all
        // that is shared then.
        foreach (string kind in s_kinds)
        {
            NativeIpcKey key = stage.Keys.Segment(backEnd, NameOf(kind, 197));
            if (stage.IsOurs)
            {
                using SharedMemory segment = SharedMemory.CreateNew(key, 4096);
                segment.Write(0, [0x2a]);
                stage.Peer.Ask($"shm open a {ForeignPeer.Word(key)} rw native");
                Assert.Equal("2a", stage.Peer.Ask("shm read a 0 1"));
                stage.Keys.Note();
            }
            else
            {
                stage.Peer.Ask($"shm create a {ForeignPeer.Word(key)} 4096 native");
                stage.Peer.Ask("shm write a 0 2a");
                stage.Keys.Note();
                using SharedMemory segment = SharedMemory.OpenExisting(new NativeIpcKey(key.NativeKey, key.Type));
                Assert.Equal(0x2a, segment.ReadOnlySpan[0]);
            }

            stage.Peer.Ask("shm close a");
        }
    });

    [Theory]
    [MemberData(nameof(LegacyNames))]
    public void qt_makes_the_same_legacy_key_of_a_name(string peer, string backEnd, string direction)
        => Run(peer, backEnd, direction, stage =>
    {
        foreach (string name in s_kinds.Select(kind => NameOf(kind, 197)))
        {
            string answer = stage.Peer.Ask($"key legacy shm systemv {ForeignPeer.Word(name)}");
            NativeIpcKey ours = SharedMemory.LegacyNativeKey(name, NativeIpcKeyType.SystemV);
            if (stage.Kind.HasKeyText) Assert.Equal(ours, NativeIpcKey.Parse(answer, CultureInfo.InvariantCulture));
            else Assert.Equal(Quoted(ours.NativeKey), answer);
        }
    });

    private static string Quoted(string text)
        => text.Replace("%", "%25", StringComparison.Ordinal).Replace(" ", "%20", StringComparison.Ordinal);
}
