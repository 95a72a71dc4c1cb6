using NativeIpc.Inspection;
using Xunit;

namespace NativeIpc.Foreign;

/// <summary>What a peer of another language makes is listed with what the system tells of it.</summary>
public sealed class ListingTests
{
    public static TheoryData<string, string> WithSegments() => PeerKind.Each((_, _, has) => has.HasFlag(Has.Segment));

    public static TheoryData<string, string> WithSemaphores()
        => PeerKind.Each((_, _, has) => has.HasFlag(Has.Semaphore));

    [Theory]
    [MemberData(nameof(WithSegments))]
    public void A_segment_of_a_peer_is_listed_with_its_user(string peer, string backEnd)
    {
        using var stage = new Stage(PeerKind.Named(peer), backEnd, Direction.Theirs);
        NativeIpcKey key = stage.Keys.Segment(backEnd);
        stage.Peer.Ask($"shm create a {ForeignPeer.Word(key)} 4096");
        stage.Keys.Note();
        IpcObjectInfo found = Listed(key, IpcObjectKind.SharedMemory);
        Assert.Equal(4096, found.Size);
        Assert.Equal(1, found.AttachmentCount);
        Assert.Contains(stage.Peer.Id, found.Attachments.Select(user => user.ProcessId));
        Assert.Equal(backEnd == BackEnd.Legacy, (found.Traits & IpcObjectTraits.LegacyName) != 0);
        Assert.Equal(IpcObjectTraits.None, found.Traits & ~(IpcObjectTraits.LegacyName | IpcObjectTraits.KeyCollision));
        Assert.Equal(found.NativeName, IpcObjects.Inspect(key, IpcObjectKind.SharedMemory)!.NativeName);
    }

    [Theory]
    [MemberData(nameof(WithSemaphores))]
    public void A_semaphore_of_a_peer_is_listed_with_its_count(string peer, string backEnd)
    {
        using var stage = new Stage(PeerKind.Named(peer), backEnd, Direction.Theirs);
        NativeIpcKey key = stage.Keys.Semaphore(backEnd);
        stage.Peer.Ask($"sem create s {ForeignPeer.Word(key)} 3");
        stage.Keys.Note();
        IpcObjectInfo found = Listed(InteropKeys.Ours(key), IpcObjectKind.SystemSemaphore);
        Assert.Equal(3, found.Value);
        if (stage.IsPosix) Assert.Contains(stage.Peer.Id, found.Attachments.Select(user => user.ProcessId));
        Assert.Equal(IpcObjectTraits.None, found.Traits & ~(IpcObjectTraits.LegacyName | IpcObjectTraits.KeyCollision));
    }

    private static IpcObjectInfo Listed(NativeIpcKey key, IpcObjectKind kind)
    {
        var options = new IpcEnumerationOptions
            { KeyFileFolders = key.Type.IsSystemV ? [System.IO.Path.GetDirectoryName(key.NativeKey)!] : [] };
        return Assert.Single(IpcObjects.Enumerate(options).Objects,
            found => found.Kind == kind && found.Key.Type == key.Type && found.Key.NativeKey == key.NativeKey);
    }
}
