using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using Xunit;

namespace NativeIpc.Tests.Linux;

/// <summary>What a watched name leads to: the first eight callers look at it, for the ninth a watch begins
/// (Linux).</summary>
[NeedsLinux("inotify is Linux's.")]
public sealed class NameWatchTests : IDisposable
{
    private const int Looks = 8;
    private static readonly TimeSpan s_watchdog = Patience.Seconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("nativeipc-names").FullName;
    private readonly List<NameWatch> _watches = [];
    private int _files;

    public void Dispose()
    {
        foreach (NameWatch watch in _watches) watch.Dispose();
        if (_folder is not null) Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(Looks - 1, false)]
    [InlineData(Looks - 1, true)]
    public void Replaced_before_the_watch_it_is_seen_by_the_next_who_asks(int looks, bool isRemoved)
    {
        string path = MakeFile();
        NameWatch watch = Watch(path);
        AskInVain(watch, looks);
        Assert.False(watch.IsTold);

        Replace(path, isRemoved);

        Assert.True(watch.HasChanged);
        Assert.False(watch.IsTold); // nothing to wait for any more
    }

    // The watch is then one of the new file, or of none: no event will ever tell.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Replaced_between_the_last_look_and_the_watch_it_is_seen_by_who_begins_it(bool isRemoved)
    {
        string path = MakeFile();
        NameWatch watch = Watch(path);
        AskInVain(watch, Looks);
        Assert.False(watch.IsTold);

        Replace(path, isRemoved);

        Assert.True(watch.HasChanged);
        Assert.Equal(!isRemoved, watch.IsTold); // there was nothing to watch
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Replaced_under_the_watch_everybody_is_told(bool isRemoved)
    {
        string path = MakeFile();
        NameWatch[] watches = [Watch(path), Watch(path), Watch(path)];
        foreach (NameWatch watch in watches) AskInVain(watch, Looks + 1);
        Assert.All(watches, watch => Assert.True(watch.IsTold));
        watches[0].Dispose(); // the others go on
        int changes = Volatile.Read(ref NameChanges.s_count);

        Replace(path, isRemoved);

        Until(() => watches[1].HasChanged && watches[2].HasChanged);
        Assert.True(Volatile.Read(ref NameChanges.s_count) >= changes + 2);
        Assert.False(watches[0].HasChanged); // nobody tells it any more
    }

    // As the kernel shows it for a moment: the event of a removal comes before the name goes, and no other one after
    // it.
    [Fact]
    public void A_file_without_a_link_has_lost_its_name_although_the_name_still_leads_to_it()
    {
        string path = MakeFile();
        using FileStream open = File.OpenRead(path);
        NameWatch watch = Watch($"/proc/self/fd/{open.SafeFileHandle.DangerousGetHandle()}", followLink: true);
        AskInVain(watch, 1);

        File.Delete(path);

        Assert.True(watch.HasChanged);
    }

    [Fact]
    public void A_look_that_cannot_tell_is_no_change_and_the_next_one_looks_again()
    {
        string folder = Directory.CreateDirectory(Path.Combine(_folder, "folder")).FullName;
        string path = Path.Combine(folder, "file"), aside = folder + ".aside";
        File.WriteAllText(path, "");
        NameWatch early = Watch(path), told = Watch(path);
        AskInVain(early, 1);
        AskInVain(told, Looks + 1);
        Directory.Move(folder, aside);
        File.WriteAllText(folder, ""); // no folder: what is in it cannot be looked at

        File.SetLastWriteTimeUtc(Path.Combine(aside, "file"), DateTime.UnixEpoch); // an event

        Until(() => !told.IsTold);
        AskInVain(early, 1);
        AskInVain(told, 1);
        File.Delete(folder);
        Directory.Move(aside, folder);
        AskInVain(early, 1);
        AskInVain(told, 1);
        Assert.True(told.IsTold);
        Replace(path, isRemoved: true);
        Assert.True(early.HasChanged);
        Until(() => told.HasChanged);
    }

    [Fact]
    public void What_does_not_concern_the_name_changes_nothing()
    {
        string path = MakeFile();
        NameWatch watch = Watch(path);
        AskInVain(watch, Looks + 1);
        NameWatch other = Watch(MakeFile());
        AskInVain(other, Looks + 1);

        File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch); // an event of the same kind as a removal
        Replace(PathOf(other), isRemoved: false);

        Until(() => other.HasChanged); // the thread has read both
        Assert.False(watch.HasChanged);
    }

    [Fact]
    public void Replaced_at_any_moment_it_is_seen_by_all_who_ask()
    {
        for (int round = 0; round < 300; round++)
        {
            string path = MakeFile();
            NameWatch watch = Watch(path);
            using var together = new Barrier(3);
            bool[] seen = new bool[2];
            Thread[] asking = [.. Enumerable.Range(0, 2).Select(i => new Thread(() =>
            {
                together.SignalAndWait();
                seen[i] = SpinWait.SpinUntil(() => watch.HasChanged, s_watchdog);
            }))];
            foreach (Thread thread in asking) thread.Start();
            together.SignalAndWait(TestContext.Current.CancellationToken);
            Thread.SpinWait(round * 10);
            Replace(path, isRemoved: round % 2 == 0);
            foreach (Thread thread in asking) thread.Join();
            Assert.True(seen[0] && seen[1], $"Not seen in round {round}.");
            watch.Dispose();
        }
    }

    private readonly Dictionary<NameWatch, string> _paths = [];

    private string PathOf(NameWatch watch) => _paths[watch];

    private string MakeFile()
    {
        string path = Path.Combine(_folder, $"{_files++}");
        File.WriteAllText(path, "");
        return path;
    }

    private NameWatch Watch(string path, bool followLink = false)
    {
        Assert.Equal(0, Libc.Status(path, followLink, out FileStatus status));
        NameWatch? watch = NameWatch.TryWatch(path, status.Identity);
        Assert.NotNull(watch);
        _watches.Add(watch);
        _paths[watch] = path;
        return watch;
    }

    /// <summary>Puts another file there in one step, or none.</summary>
    private void Replace(string path, bool isRemoved)
    {
        if (isRemoved) File.Delete(path);
        else File.Move(MakeFile(), path, overwrite: true);
    }

    private static void AskInVain(NameWatch watch, int times)
    {
        for (int i = 0; i < times; i++) Assert.False(watch.HasChanged);
    }

    private static void Until(Func<bool> happened)
        => Assert.True(SpinWait.SpinUntil(happened, s_watchdog), "The watchdog went off.");
}
