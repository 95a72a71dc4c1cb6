using System.Text;
using NativeIpc.Interop.Unix;
using NativeIpc.SystemV;
using NativeIpc.Waiting.Bounds;
using Xunit;

namespace NativeIpc.Tests.SystemV;

/// <summary>The rounds of one call under a key file: what is whose.</summary>
[NeedsUnix("System V is Unix's.")]
public sealed class KeyFileSessionTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("nativeipc-session").FullName;

    public void Dispose()
    {
        if (_folder is not null) Directory.Delete(_folder, recursive: true);
    }

    private KeyFileSession Session(out string path)
    {
        path = Path.Combine(_folder, "key");
        PeerBound bound = TimeSpan.FromSeconds(60);
        var rules = new KeyFileRules(KeyFilePurpose.FindOrMake, bound) { ObjectMode = FileModes.Mode600 };
        return new KeyFileSession("try", new NativeIpcKey(path, NativeIpcKeyType.SystemV), IpcObjectKind.SharedMemory,
            rules, TimeSpan.Zero);
    }

    private static unsafe void Link(string path, string other)
    {
        fixed (byte* old = Encoding.UTF8.GetBytes(path + '\0'), name = Encoding.UTF8.GetBytes(other + '\0'))
            Assert.Equal(0, Libc.linkat_utf8(Flags.AT_FDCWD, old, Flags.AT_FDCWD, name, 0));
    }

    // A second name stands for a file system that gives the number of a removed file to the next one.
    [Fact]
    public void The_file_of_a_peer_that_got_the_number_of_one_that_was_taken_back_is_not_this_calls()
    {
        using KeyFileSession session = Session(out string path);
        session.Open();
        Assert.True(session.MadeFile);
        Assert.Equal(0, Libc.Status(path, followLink: false, out FileStatus made));
        string other = path + ".other";
        Link(path, other);
        Assert.True(session.TryWaitForPeer());
        Assert.False(File.Exists(path));
        File.Move(other, path);

        session.Open();

        Assert.Equal(made.Identity, session.File.Status.Identity);
        Assert.False(session.MadeFile, "It counts as made by the call, and would be removed with the object.");
    }
}
