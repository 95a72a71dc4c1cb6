using System.Globalization;
using NativeIpc.Interop.Unix;
using NativeIpc.SystemV;
using NativeIpc.Victim;
using Xunit;

namespace NativeIpc.Machine;

/// <summary>What another user (nobody) plants under the name of an event: each call of root and of a third user says
/// what it found, nothing is touched, and nothing that a link leads to. The calls on files of /dev/shm run in another
/// process, since one that goes wrong hangs or dies of SIGBUS.</summary>
[NeedsLinux("Uses Linux's tools.")]
[NeedsRoot(Victims.WhyRoot)]
public sealed class PlantedEventTests : IDisposable
{
    /// <summary>An event of auto reset that is set, as docs/layouts.md has it.</summary>
    private const string Event = "01000000" + "00000000" + "4e494576" + "0100" + "0100"
        + "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";

    private const int EEXIST = 17;
    private const int EACCES = 13;
    private const int ELOOP = 40;
    private const int ThirdUser = 4711;

    private static readonly string[] s_steps = ["event-create", "event-create-or-open", "event-reset", "event-open",
        "event-try-open", "event-remove"];

    private readonly NativeIpcKey _key = TestRun.NewKey(Backend.Posix);
    private readonly NativeIpcKey _otherKey = TestRun.NewKey(Backend.Posix);
    private readonly string _target = Path.Combine(TestRun.Folder, TestRun.NewName());
    private readonly List<string> _removals = [];
    private readonly List<string> _paths = [];

    public PlantedEventTests() => Victims.NeedRoot();

    private string EventPath => TestRun.EventFile(_key);

    public static TheoryData<string, bool> NoEvents => Twice("ln -s {target} {path}", "ln -s {target}.none {path}",
        "ln -s {event} {path}", "ln -s {path} {path}", "mkfifo -m 666 {path}", "mkdir -m 777 {path}", ": > {path}",
        "head -c 63 /dev/zero > {path}", "head -c 65 /dev/zero > {path}", "truncate -s 4096 {path}",
        "truncate -s 1T {path}");

    public static TheoryData<bool> Users => [true, false];

    public void Dispose()
    {
        foreach (string path in (string[])[EventPath, TestRun.EventFile(_otherKey), _target, _target + ".none",
            .. _paths])
        {
            if (Directory.Exists(path) && new FileInfo(path).LinkTarget is null) Directory.Delete(path);
            else File.Delete(path);
        }

        foreach (string removal in _removals) Shell.Run("ipcrm", removal.Split(' '));
    }

    [Theory]
    [MemberData(nameof(NoEvents))]
    public void What_is_no_event_is_a_key_error(string plant, bool byRoot) => WithNothingTouched(plant, () =>
    {
        bool isLink = plant.StartsWith("ln", StringComparison.Ordinal);
        bool isFile = !isLink && !plant.StartsWith("mk", StringComparison.Ordinal);
        foreach (Outcome outcome in Try(isFile ? s_steps[..^1] : s_steps, byRoot))
        {
            // Looked at by name, once the name was taken
            bool isNew = outcome.Step.StartsWith("event-create ", StringComparison.Ordinal);
            outcome.AssertSays(NativeIpcError.KeyError, _key, outcome.Operation!, isNew ? null : isLink ? ELOOP : null);
        }
    });

    [Theory]
    [MemberData(nameof(Users))]
    public void An_event_of_another_user_is_not_trusted_and_keeps_its_state(bool byRoot)
        => WithNothingTouched("perl -e 'print pack q(H*), q({content})' > {path}", () =>
        {
            foreach (Outcome outcome in Try(s_steps[..^1], byRoot))
            {
                if (outcome.Step.StartsWith("event-create ", StringComparison.Ordinal))
                    outcome.AssertSays(NativeIpcError.AlreadyExists, _key, "linkat", EEXIST);
                else outcome.AssertSays(NativeIpcError.PermissionDenied, _key, "owner check", EACCES);
            }

            Assert.Equal(Event, Convert.ToHexStringLower(File.ReadAllBytes(EventPath)));

            // Users who share say so.
            Victims.Run(Caller(byRoot), $"event-open {_key} others=true", "event-is-set").Did("opened", "True");
        });

    [Theory]
    [InlineData("00000000" + "00000000" + "4e494577" + "0100" + "0100", "begins with")]
    [InlineData("00000000" + "00000000" + "00000000" + "0100" + "0100", "begins with")]
    [InlineData("00000000" + "00000000" + "4e494576" + "0200" + "0100", "version 2")]
    [InlineData("00000000" + "00000000" + "4e494576" + "0100" + "0000", "mode 0")]
    [InlineData("00000000" + "00000000" + "4e494576" + "0100" + "0300", "mode 3")]
    public void An_own_file_that_is_something_else_is_a_key_error_and_can_be_removed(string begin, string why)
    {
        byte[] content = [.. Convert.FromHexString(begin), .. new byte[48]];
        File.WriteAllBytes(EventPath, content);
        VictimResult result = Victims.Run(Situation.Plain, [.. s_steps[1..^1].Select(step => $"{step} {_key}")]);
        foreach (Outcome outcome in result.Outcomes)
        {
            outcome.AssertSays(NativeIpcError.KeyError, _key, "open");
            Assert.Contains(why, outcome.Message, StringComparison.Ordinal);
        }

        Assert.Equal(content, File.ReadAllBytes(EventPath));
        Victims.Run(Situation.Plain, $"event-create {_key}")[0].AssertSays(NativeIpcError.AlreadyExists, _key,
            "linkat", EEXIST);
        Victims.Run(Situation.Plain, $"event-remove {_key}", $"event-create {_key}").Did("removed", "created");
    }

    [Theory]
    [InlineData("644")]
    [InlineData("600")]
    public void An_event_that_may_not_be_written_is_permission_denied(string mode)
    {
        using SystemEvent made = SystemEvent.CreateNew(_key, EventResetMode.AutoReset, true,
            new() { Mode = (UnixFileMode)Convert.ToInt32(mode, 8) });
        foreach (Outcome outcome in Try(s_steps[1..^1], byRoot: false, "others=true"))
            outcome.AssertSays(NativeIpcError.PermissionDenied, _key, "open", EACCES);
        Victims.Run(Situation.As(ThirdUser), $"event-remove {_key}")[0].AssertSays(NativeIpcError.PermissionDenied,
            _key, "unlink");
        Assert.True(made.TryGetIsSet(out bool isSet) && isSet);
    }

    [Fact]
    public void A_planted_file_that_a_lease_keeps_from_being_opened_is_told_after_a_bounded_wait()
    {
        Plant("perl -e 'print pack q(H*), q({content})' > {path}");
        using IDisposable attacker = Victims.Start(Situation.Nobody, $"lease {EventPath}", "wait-for-ever");
        VictimResult result = Victims.Run(Situation.Plain, $"event-open {_key}");
        result[0].AssertSays(NativeIpcError.LockError, _key, "open", 11);
        Assert.Contains("lease", result[0].Message, StringComparison.Ordinal);
        Assert.True(SystemEvent.Remove(_key)); // no need to open it for that
        Assert.False(File.Exists(EventPath));
    }

    [Theory]
    [InlineData("ln -s {target} {path}", null)]
    [InlineData("head -c 64 /dev/zero > {path}", "removed")]
    public void Root_may_remove_what_was_planted_and_what_it_leads_to_stays(string plant, string? did)
    {
        Plant(plant);
        Outcome third = Victims.Run(Situation.As(ThirdUser), $"event-remove {_key}")[0];
        third.AssertSays(did is null ? NativeIpcError.KeyError : NativeIpcError.PermissionDenied, _key,
            third.Operation!);
        Assert.Equal(did, Victims.Run(Situation.Plain, $"event-remove {_key}")[0].Did);
        Assert.Equal("data", File.ReadAllText(_target));
    }

    [Theory]
    [InlineData("ln -s {target} {path}")]
    [InlineData(": > {path}")]
    [InlineData("printf x > {path}")]
    [InlineData("truncate -s 1T {path}")]
    [InlineData("mkdir {path}")]
    [InlineData("mkfifo {path}")]
    public void A_key_file_of_another_user_is_refused_and_not_touched(string plant)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        string path = KeyFile(key);
        File.WriteAllText(_target, "data");
        plant = plant.Replace("{target}", _target, StringComparison.Ordinal)
            .Replace("{path}", path, StringComparison.Ordinal);
        _ = Shell.Run("sh", ["-c", $"{plant} && chown -h 65534 {path}"]).Succeeded;
        string before = Seen();
        foreach (Outcome outcome in AllButRemove(key))
        {
            Assert.True(outcome.Error == NativeIpcError.PermissionDenied, $"{outcome}");
            Assert.Contains(path, outcome.Message, StringComparison.Ordinal);
        }

        Assert.Equal(before, Seen());
        Assert.Equal("data", File.ReadAllText(_target));
        _ = Shell.Run("rm", ["-rf", path]).Succeeded;

        string Seen() => Shell.Run("stat", ["-c", "%F %s %u %i %Y", path]).Succeeded;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_set_of_another_user_under_the_key_is_refused_and_keeps_its_state(int size)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        int number = PlantedUnder(key, 65534, $"semget({{key}}, {size}, 01666)");
        foreach (Outcome outcome in AllButRemove(key))
        {
            if (outcome.Step.EndsWith("CreateNew", StringComparison.Ordinal))
                outcome.AssertSays(NativeIpcError.AlreadyExists, key, "semget", EEXIST);
            else outcome.AssertSays(NativeIpcError.PermissionDenied, key, "semctl", EACCES);
        }

        int id = Libc.semget(number, 0, 0);
        Assert.Equal(0, SystemVSupport.SetStatusOf(id, out SetStatus status));
        Assert.Equal((size, 65534u), (status.Count, status.Uid));
        for (ushort i = 0; i < size; i++) Assert.Equal(0, Libc.semctl(id, i, Flags.GETVAL));
        Assert.True(SystemEvent.Remove(key));
        Assert.Equal(-1, Libc.semget(number, 0, 0));
    }

    [Theory]
    [InlineData(1, 0, "has 1 semaphores")]
    [InlineData(4, 0, "has 4 semaphores")]
    [InlineData(3, 7, "has the mode 7")]
    public void A_set_that_is_something_else_is_a_key_error_and_keeps_its_state(int size, int mode, string why)
    {
        NativeIpcKey key = TestRun.NewKey(Backend.SystemV);
        int number = PlantedUnder(key, 0, $"semget({{key}}, {size}, 01600)");
        int id = Libc.semget(number, 0, 0);
        if (mode != 0) Assert.Equal(0, Libc.semctl(id, SystemVEventSet.Mode, Flags.SETVAL, mode));
        foreach (Outcome outcome in AllButRemove(key))
        {
            if (outcome.Step.EndsWith("CreateNew", StringComparison.Ordinal))
            {
                outcome.AssertSays(NativeIpcError.AlreadyExists, key, "semget", EEXIST);
                continue;
            }

            outcome.AssertSays(NativeIpcError.KeyError, key, "semctl");
            Assert.Contains(why, outcome.Message, StringComparison.Ordinal);
        }

        for (ushort i = 0; i < size; i++)
            Assert.Equal(i == SystemVEventSet.Mode ? mode : 0, Libc.semctl(id, i, Flags.GETVAL));
        Assert.True(SystemEvent.Remove(key));
    }

    [Fact]
    public void A_folder_that_all_may_write_and_that_is_not_sticky_is_refused_by_name()
    {
        string folder = Path.Combine(TestRun.Folder, TestRun.NewName());
        Directory.CreateDirectory(folder);
        File.SetUnixFileMode(folder, FileModes.Mode777);
        NativeIpcKey key = TestRun.KeyOf(Path.Combine(folder, "key"));
        foreach (Outcome outcome in AllButRemove(key))
        {
            outcome.AssertSays(NativeIpcError.PermissionDenied, key, "key file check", EACCES);
            Assert.Contains($"chmod +t {folder}", outcome.Message, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.EnumerateFileSystemEntries(folder));
        SystemEvent.CreateNew(key, EventResetMode.AutoReset, options: new() { AllowOtherOwners = true }).Dispose();
        Directory.Delete(folder);
    }

    // Root may remove what others have made.
    private static IEnumerable<Outcome> AllButRemove(NativeIpcKey key)
        => Calls.Events.Where(call => call.Name != "Remove")
            .Select(call => Outcome.From(call.Name, () => call.Run(key)));

    private static string KeyFile(NativeIpcKey key) => key.NativeKey + ".nativeipc-event";

    private static Situation Caller(bool byRoot) => byRoot ? Situation.Plain : Situation.As(ThirdUser);

    /// <summary>A key file of root's, and a set of a user under its number, which this gives.</summary>
    private int PlantedUnder(NativeIpcKey key, int user, string call)
    {
        File.WriteAllText(KeyFile(key), "");
        int number = Libc.ftok(KeyFile(key), (int)key.Type);
        string text = number.ToString(CultureInfo.InvariantCulture);
        _ = Shell.Run(Peers.Require("setpriv", "util-linux"),
            [$"--reuid={user}", $"--regid={user}", "--clear-groups", Peers.Require("perl", "perl-base"), "-e",
                $"defined({call.Replace("{key}", text, StringComparison.Ordinal)}) or die $!"], "/").Succeeded;
        _paths.Add(KeyFile(key));
        _removals.Add($"-S {text}");
        return number;
    }

    private Outcome[] Try(string[] steps, bool byRoot, string options = "timeout=20")
    {
        VictimResult result = Victims.Run(Caller(byRoot), [.. steps.Select(step => $"{step} {_key} {options}")]);
        Assert.Equal(steps.Length, result.Outcomes.Length);
        return result.Outcomes;
    }

    /// <summary>Plants as nobody, and asserts afterwards that the thing and everything it may lead to are as they
    /// were.</summary>
    private void WithNothingTouched(string plant, Action attempts)
    {
        using SystemEvent other = SystemEvent.CreateNew(_otherKey, EventResetMode.ManualReset);
        Plant(plant);
        string before = Seen();
        attempts();
        Assert.Equal(before, Seen());

        string Seen()
        {
            string[] files = [EventPath, _target, TestRun.EventFile(_otherKey)];
            string statuses = Shell.Run("stat", ["-c", "%n %F %s %u %g %a %h %i %y %z", .. files]).Succeeded;
            Assert.False(Path.Exists(_target + ".none"));
            return statuses + File.ReadAllText(_target) + Convert.ToHexString(File.ReadAllBytes(files[2]));
        }
    }

    private void Plant(string plant)
    {
        File.WriteAllText(_target, "data");
        string command = plant.Replace("{path}", EventPath, StringComparison.Ordinal)
            .Replace("{target}", _target, StringComparison.Ordinal)
            .Replace("{event}", TestRun.EventFile(_otherKey), StringComparison.Ordinal)
            .Replace("{content}", Event, StringComparison.Ordinal);
        string[] attacker = [.. Victims.AsUser(Situation.NobodysId), "sh", "-c", $"umask 0; {command}"];
        _ = Shell.Run(attacker[0], attacker[1..], "/").Succeeded;
    }

    /// <summary>Each for root and for a third user.</summary>
    private static TheoryData<string, bool> Twice(params string[] plants)
    {
        var data = new TheoryData<string, bool>();
        foreach (string plant in plants)
        {
            data.Add(plant, true);
            data.Add(plant, false);
        }

        return data;
    }
}
