using System.Text.Json;
using NativeIpc.Inspection;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary><c>nipc list</c> on Linux. Other tests make objects at the same time: each looks for its own.</summary>
[NeedsLinux("Objects are listed on Linux.")]
public sealed class ListTests : IDisposable
{
    private readonly TestNames _names = new();

    public void Dispose() => _names.Dispose();

    [Theory]
    [InlineData(NativeIpcKeyType.PosixRealtime)]
    [InlineData(NativeIpcKeyType.SystemV)]
    public void Json_tells_everything_about_an_object(NativeIpcKeyType type)
    {
        NativeIpcKey key = _names.Next(type);
        using SharedMemory segment = SharedMemory.CreateNew(key, 12345);
        segment.Lock(TestContext.Current.CancellationToken).Dispose();
        JsonElement[] found = [.. List("--folder",
            TestNames.Folder).Where(each => Text(each, "key") == key.ToString())];
        Assert.Equal(["shm", "sem"], found.Select(each => Text(each, "kind")).OrderDescending());
        JsonElement shm = found.Single(each => Text(each, "kind") == "shm");
        Assert.Equal(12345, shm.GetProperty("size").GetInt64());
        Assert.Equal("0600", Text(shm, "mode"));
        Assert.Equal(Environment.UserName, Text(shm, "owner"));
        Assert.Equal(1, shm.GetProperty("attached").GetInt32());
        Assert.Equal(Environment.ProcessId,
            Assert.Single(shm.GetProperty("users").EnumerateArray()).GetProperty("pid").GetInt32());
        Assert.False(shm.TryGetProperty("flags", out _));
        JsonElement sem = found.Single(each => Text(each, "kind") == "sem");
        Assert.Equal(1, sem.GetProperty("value").GetInt32());
        Assert.Equal(["lock"], sem.GetProperty("flags").EnumerateArray().Select(flag => flag.GetString()));
        if (type == NativeIpcKeyType.SystemV)
        {
            Assert.Equal(key.NativeKey, Text(shm, "keyFile"));
            Assert.Contains($"{Text(shm, "ipcKey")} {shm.GetProperty("id")} ", Shell.Run("ipcs", ["-m"]).Succeeded,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_pipe_gets_columns_without_escape_codes()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 4);
        string output = Nipc.Succeed("list");
        Assert.DoesNotContain('\u001b', output);
        Assert.StartsWith("KEY ", output, StringComparison.Ordinal);
        string row = Assert.Single(output.Split('\n'), line => line.StartsWith($"{key} ", StringComparison.Ordinal));
        Assert.Equal(["sem", "=4", "0600", Environment.UserName, "-",
            $"{Environment.ProcessId}({File.ReadAllText("/proc/self/comm").TrimEnd()})"], row.Split("  ",
                StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[2..8]);
    }

    [Fact]
    public void Columns_and_headings_are_as_they_are_asked_for()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        Nipc.Succeed("create", "shm", $"{key}", "12345");
        string[] all = Nipc.Succeed("list", "-o", "kind,BYTES, key").Split('\n');
        Assert.Matches("^KIND +BYTES +KEY$", all[0]);
        Assert.Contains(all, line => System.Text.RegularExpressions.Regex.IsMatch(line, $"^shm +12345 +{key}$"));
        string[] rows = Nipc.Succeed("list", "--no-header", "--columns", "key").Split('\n');
        Assert.Contains($"{key}", rows);
        Assert.DoesNotContain("KEY", rows);
        Assert.DoesNotContain("KEY ", Nipc.Succeed("list", "--no-header"), StringComparison.Ordinal);
        string wrong = Nipc.Fail(2, "list", "-o", "key,nonsense");
        Assert.Contains("'nonsense'", wrong, StringComparison.Ordinal);
        Assert.Contains("lastpid", wrong, StringComparison.Ordinal);
        foreach (string option in new[] { "--wide", "--no-header", "-o=key" }) Nipc.Fail(2, "list", "--json", option);
        foreach (string name in Nipc.Run("list", "-o", "?").Error.Split("Use ")[1].TrimEnd('.', '\n').Split(", "))
            Nipc.Succeed("list", "-o", name);
    }

    [Fact]
    public void Filters_and_orders_choose()
    {
        NativeIpcKey[] keys = [.. Enumerable.Range(0, 3).Select(_ => _names.Next(NativeIpcKeyType.PosixRealtime))];
        for (int i = 0; i < keys.Length; i++) Nipc.Succeed("create", "shm", keys[i].ToString(), $"{(i + 1) * 1000}");
        Nipc.Succeed("create", "sem", keys[0].ToString(), "1");
        using SharedMemory used = SharedMemory.OpenExisting(keys[2],
            options: new SharedMemoryOptions { Removal = RemovalPolicy.Keep });

        Assert.Equal([keys[2], keys[1], keys[0]], Keys("--kind", "shm", "--sort", "size"));
        Assert.Equal([keys[0], keys[1], keys[2]], Keys("--kind", "shm", "--sort", "size", "--reverse"));
        Assert.Equal([keys[2], keys[0], keys[1]],
            [keys[2], .. Keys("--kind", "shm", "--sort", "users").Skip(1).OrderBy(key => Array.IndexOf(keys, key))]);
        Assert.Equal([keys[2]], Keys("--kind", "shm", "--sort", "users").Take(1));
        Assert.Equal([keys[0]], Keys("--kind", "sem"));

        // Where not all processes can be seen, only the kernel could tell, which is not asked.
        bool isTold = IpcObjects.Inspect(keys[0], IpcObjectKind.SharedMemory)!.IsInUse == false;
        Assert.Equal(isTold ? [keys[0], keys[1]] : [], Keys("--kind", "shm", "--unused", "--mine", "--sort", "key"));
        Assert.Equal(!isTold, Nipc.Run("list", "--unused").Error.Contains("not known whether somebody has",
            StringComparison.Ordinal));
        Assert.Empty(Keys("--type", "systemv"));

        NativeIpcKey[] Keys(params string[] options)
            => [.. List(options).Select(each => Text(each, "key"))
                .Where(text => keys.Any(key => key.ToString() == text)).Select(text => NativeIpcKey.Parse(text!))];
    }

    [Fact]
    [NeedsRoot("Becoming another user needs root.")]
    public void Mine_goes_by_the_number_of_the_user_who_may_have_no_name()
    {
        const string user = "54321";
        Assert.SkipWhen(Shell.Run("getent", ["passwd", user]).ExitCode == 0, $"User {user} has a name here.");
        NativeIpcKey mine = _names.Next(NativeIpcKeyType.PosixRealtime),
            others = _names.Next(NativeIpcKeyType.PosixRealtime);
        Nipc.Succeed("create", "shm", others.ToString(), "100", "--mode", "666");
        ShellResult created = AsUser("create", "shm", mine.ToString(), "100");
        Assert.SkipWhen(created.ExitCode is 126 or 127, "The tool's folder is closed to other users here.");
        Assert.Equal($"{mine}\n", created.Succeeded);
        Assert.Equal([mine.ToString()], KeysOf(AsUser("list", "--mine", "--json")));
        Assert.Equal([others.ToString()], KeysOf(Nipc.Run("list", "--mine", "--json")));

        ShellResult AsUser(params string[] arguments)
            => Shell.Run("setpriv", ["--reuid", user, "--regid", user, "--clear-groups", Nipc.Program, .. arguments],
                environment: [new("DOTNET_CLI_HOME", "/tmp")]);

        string?[] KeysOf(ShellResult listed)
        {
            using JsonDocument document = JsonDocument.Parse(listed.Succeeded);
            return [.. document.RootElement.GetProperty("objects").EnumerateArray().Select(each => Text(each, "key"))
                .Where(key => key == mine.ToString() || key == others.ToString())];
        }
    }

    [Fact]
    public void Without_a_look_at_processes_there_are_no_users()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        using SharedMemory segment = SharedMemory.CreateNew(key, 100);
        JsonElement found = List("--no-attachments").Single(each => Text(each, "key") == key.ToString());
        Assert.False(found.TryGetProperty("users", out _));
        Assert.False(found.TryGetProperty("flags", out _)); // in use, as the kernel's lease says
    }

    [Fact]
    public void A_name_with_control_characters_does_not_reach_the_terminal()
    {
        string name = TestNames.NextName();
        _names.TrackPath($"/dev/shm/{name}\u001b[31mred");
        File.WriteAllText($"/dev/shm/{name}\u001b[31mred", "x");
        string output = Nipc.Succeed("list");
        Assert.DoesNotContain('\u001b', output);
        Assert.Contains(name, output, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_listed_says_so()
    {
        Assert.Contains("Windows", Nipc.Fail(6, "list", "--type", "windows"), StringComparison.Ordinal);
        Nipc.Fail(2, "list", "--type", "mach");
        Nipc.Fail(2, "list", "--sort", "colour");
        Nipc.Fail(2, "list", "--watch", "never");
        Nipc.Fail(2, "list", "--watch", "1ms");
    }

    [Fact]
    public void Watching_into_a_pipe_prints_a_line_for_each_change_until_it_is_ended()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        using SystemSemaphore first = SystemSemaphore.CreateNew(key, 1);
        using var watching = new RunningNipc("list", "--watch", "50ms", "--json", "--type", "posix");
        Assert.Equal("found", NextChange(key).GetProperty("change").GetString());
        first.Release();
        JsonElement changed = NextChange(key);
        Assert.Equal("changed", changed.GetProperty("change").GetString());
        Assert.Equal(2, changed.GetProperty("object").GetProperty("value").GetInt32());
        NativeIpcKey second = _names.Next(NativeIpcKeyType.PosixRealtime);
        SharedMemory.CreateNew(second, 100).Dispose();
        SharedMemory.CreateNew(second, 100, new SharedMemoryOptions { Removal = RemovalPolicy.Keep }).Dispose();
        Assert.Equal("appeared", NextChange(second).GetProperty("change").GetString());
        SharedMemory.Remove(second);
        string change;
        do change = NextChange(second).GetProperty("change").GetString()!;
        while (change == "changed"); // a look may have met it in use
        Assert.Equal("gone", change);
        watching.Signal(15);
        Assert.Equal(0, watching.WaitForEnd());

        JsonElement NextChange(NativeIpcKey wanted)
        {
            while (true)
            {
                using JsonDocument line = JsonDocument.Parse(watching.ReadLine());
                if (Text(line.RootElement.GetProperty("object"), "key") == wanted.ToString())
                    return line.RootElement.Clone();
            }
        }
    }

    [Fact]
    [NeedsRoot("Becoming another user needs root.")]
    public void Another_user_is_told_what_it_may_not_see()
    {
        NativeIpcKey key = _names.Next(NativeIpcKeyType.PosixRealtime);
        using SystemSemaphore semaphore = SystemSemaphore.CreateNew(key, 4);
        ShellResult result = Shell.Run("setpriv",
            ["--reuid", "65534", "--regid", "65534", "--clear-groups", Nipc.Program, "list", "--json"]);
        Assert.SkipWhen(result.ExitCode is 126 or 127, "The tool's folder is closed to other users here.");
        using JsonDocument document = JsonDocument.Parse(result.Succeeded);
        JsonElement found = document.RootElement.GetProperty("objects").EnumerateArray()
            .Single(each => Text(each, "key") == key.ToString());
        Assert.False(found.TryGetProperty("value", out _));
        Assert.Contains(found.GetProperty("unreadable").EnumerateArray(),
            reason => reason.GetString()!.Contains("count", StringComparison.Ordinal));
        Assert.Contains(document.RootElement.GetProperty("notes").EnumerateArray(),
            note => note.GetString()!.Contains("processes", StringComparison.Ordinal));
        Assert.False(found.TryGetProperty("flags", out _)); // without knowing it, it is not called unused
        Assert.False(found.TryGetProperty("attached", out _)); // nor that nobody uses it
    }

    private static JsonElement[] List(params string[] options)
        => [.. Nipc.Json(["list", "--json", .. options]).GetProperty("objects").EnumerateArray()];

    private static string? Text(JsonElement element, string property)
        => element.TryGetProperty(property, out JsonElement value) ? value.GetString() : null;
}
