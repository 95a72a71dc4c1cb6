using System.Text.Json;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>Events: <c>create event</c>, <c>set</c>, <c>reset</c>, <c>wait</c>, and what lists say of them.</summary>
public class EventTests : OneType
{
    [Theory]
    [MemberData(nameof(Types))]
    [NeedsUnix("Windows keeps no object without a process: eng/tool-wine.sh.")]
    public void An_event_is_made_set_waited_for_and_removed(string type)
    {
        NativeIpcKey key = NewKey(type);
        Assert.SkipUnless(SystemEvent.IsKeyTypeSupported(key.Type), "There are no events of this type here.");
        Assert.Equal($"{key}", Nipc.Succeed("create", "event", $"{key}", "auto"));
        try
        {
            Nipc.Fail(1, "create", "event", $"{key}", "auto");
            Nipc.Fail(2, "create", "event", $"{key}", "manual", "--or-open");
            Nipc.Fail(1, "wait", $"{key}", "-w", "0");
            Nipc.Succeed("set", $"{key}");
            Nipc.Succeed("wait", $"{key}", "--timeout", "1m");
            Nipc.Fail(1, "wait", $"{key}", "-w", "50ms");
            Nipc.Succeed("set", $"{key}");
            Nipc.Succeed("reset", $"{key}");
            Nipc.Fail(1, "wait", $"{key}", "-w", "0");
            JsonElement afresh = Nipc.Json("create", "event", $"{key}", "auto", "--set", "--reset", "--json");
            Assert.False(afresh.GetProperty("createdNew").GetBoolean());
            Assert.True(afresh.GetProperty("isSet").GetBoolean());
            Assert.Equal("auto", afresh.GetProperty("resetMode").GetString());
        }
        finally
        {
            Nipc.Succeed("rm", "-k", "event", $"{key}");
        }

        Nipc.Fail(3, "wait", $"{key}", "-w", "0");
        Nipc.Fail(3, "rm", "-k", "event", $"{key}");
    }

    [Theory]
    [MemberData(nameof(Types))]
    public void A_waiting_tool_is_freed_by_another_process(string type)
    {
        NativeIpcKey key = NewKey(type);
        Assert.SkipUnless(SystemEvent.IsKeyTypeSupported(key.Type), "There are no events of this type here.");
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.ManualReset);
        using var waiting = new RunningNipc("wait", $"{key}", "--timeout", "1m");
        opened.Set();
        Assert.Equal(0, waiting.WaitForEnd());
    }

    [Theory]
    [MemberData(nameof(Types))]
    [NeedsLinux("Lists are of Linux.")]
    public void Lists_know_an_event_its_state_and_its_mode(string type)
    {
        NativeIpcKey key = NewKey(type);
        using SystemEvent opened = SystemEvent.CreateNew(key, EventResetMode.ManualReset, initiallySet: true,
            new() { Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead });
        string[] folder = key.Type.IsSystemV ? ["--folder", Path.GetDirectoryName(key.NativeKey)!] : [];
        JsonElement listed = Assert.Single(Nipc.Json(["list", "-k", "event", "--json", .. folder])
            .GetProperty("objects").EnumerateArray(), one => one.GetProperty("name").GetString() == $"{key}");
        Assert.Equal("event", listed.GetProperty("kind").GetString());
        Assert.True(listed.GetProperty("isSet").GetBoolean());
        Assert.Equal("manual", listed.GetProperty("resetMode").GetString());
        Assert.Equal("0640", listed.GetProperty("mode").GetString());
        Assert.False(listed.TryGetProperty("value", out _));
        Assert.DoesNotContain($"{key}", Nipc.Succeed(["list", "-k", "sem", .. folder]), StringComparison.Ordinal);
        Assert.DoesNotContain($"{key}", Nipc.Succeed(["list", "-k", "shm", .. folder]), StringComparison.Ordinal);
        opened.Reset();
        string shown = Nipc.Succeed("show", $"{key}");
        Assert.Contains("unset, manual reset", shown, StringComparison.Ordinal);
        Assert.Contains($"event       {key}", shown, StringComparison.Ordinal);
        if (!key.Type.IsSystemV) Nipc.Fail(1, "rm", $"{key}"); // in use
        opened.Dispose();
        Nipc.Fail(3, "show", $"{key}");
    }
}
