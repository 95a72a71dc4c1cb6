using Xunit;

namespace NativeIpc.NamedObjects.Tests;

[NeedsLinux("On Windows names are the system's.")]
public sealed class NameTests : NamedObjectTests
{
    private static readonly NamedWaitHandleOptions s_machine =
        new() { CurrentUserOnly = false, CurrentSessionOnly = false };

    private static readonly NamedWaitHandleOptions s_user =
        new() { CurrentUserOnly = true, CurrentSessionOnly = false };

    [Theory]
    [InlineData("orders", "orders")]
    [InlineData("Orders.v1_2-x", "Orders.v1_2-x")]
    [InlineData("a/b", "a%2Fb")]
    [InlineData("a~b%c d", "a%7Eb%25c%20d")]
    [InlineData("Größe", "Gr%C3%B6%C3%9Fe")]
    [InlineData("\U0001F512", "%F0%9F%94%92")]
    [InlineData("..", "..")]
    public void Text_is_escaped_and_keeps_its_case(string name, string text)
        => Assert.Equal(text, ObjectName.Escape(name));

    [Fact]
    public void A_long_name_ends_in_a_hash()
    {
        string longest = new('x', 160), longer = new('x', 161);
        Assert.Equal(longest, ObjectName.Escape(longest));
        Assert.Equal(new string('x', 120) + "~fdb7f3c40645e79ca4c5d1638753243c", ObjectName.Escape(longer));
        Assert.NotEqual(ObjectName.Escape(longer), ObjectName.Escape(longer + "y"));
        Assert.NotEqual(ObjectName.Escape("a\ud800"), ObjectName.Escape("a\ud801"));
        using var mine = new NamedSemaphore(0, 1, NextName() + new string('\u00fc', 500));
        Assert.Equal(0, mine.Release());
    }

    [Fact]
    public void The_key_names_kind_scope_and_user()
    {
        uint user = CurrentUser.Id;
        Assert.Equal("posix:/nipc.sem.g~x", Key(ObjectKind.Semaphore, @"Global\x"));
        Assert.Equal($"posix:/nipc.mutex.u{user}~x", Key(ObjectKind.Mutex, @"Local\x"));
        Assert.Equal($"posix:/nipc.event.u{user}~x", Key(ObjectKind.Event, "x"));
        Assert.Equal("posix:/nipc.map.g~x", Key(ObjectKind.Memory, @"Global\x"));
        Assert.Equal("posix:/nipc.sem.g~x", Key(ObjectKind.Semaphore, "x", s_machine));
        Assert.Equal("posix:/nipc.sem.g~x", Key(ObjectKind.Semaphore, @"Global\x", s_machine));
        Assert.Equal($"posix:/nipc.sem.g{user}~x", Key(ObjectKind.Semaphore, "x", s_user));
        Assert.Equal($"posix:/nipc.sem.u{user}~x", Key(ObjectKind.Semaphore, "x", default(NamedWaitHandleOptions)));
        Assert.Equal($"posix:/nipc.sem.u{user}~x", Key(ObjectKind.Semaphore, @"Local\x",
            new NamedWaitHandleOptions { CurrentUserOnly = false }));
        Assert.NotEqual(Key(ObjectKind.Semaphore, "x"), Key(ObjectKind.Semaphore, "X"));
        Assert.Throws<ArgumentException>(() => Key(ObjectKind.Mutex, @"Global\x", default(NamedWaitHandleOptions)));
        Assert.Throws<ArgumentException>(() => Key(ObjectKind.Mutex, @"Local\x", s_machine));
    }

    [Theory]
    [InlineData(@"a\b")]
    [InlineData(@"Global\a\b")]
    [InlineData(@"Global\")]
    [InlineData(@"global\a")]
    public void A_backslash_ends_a_prefix_and_nothing_else(string name)
    {
        Assert.Throws<DirectoryNotFoundException>(() => new NamedSemaphore(0, 1, name));
        Assert.Throws<DirectoryNotFoundException>(() => NamedMutex.OpenExisting(name));
        Assert.Throws<DirectoryNotFoundException>(() => NamedMemory.CreateOrOpen(name, 10));
    }

    [Fact]
    public void Scopes_do_not_meet_and_Local_is_the_same_as_none()
    {
        string name = NextName();
        using var machine = new NamedSemaphore(0, 1, @"Global\" + name);
        Assert.False(NamedSemaphore.TryOpenExisting(name, out _));
        Assert.False(NamedSemaphore.TryOpenExisting(name, s_user, out _));
        using var own = new NamedSemaphore(1, 1, @"Local\" + name, out bool createdNew);
        Assert.True(createdNew);
        using NamedSemaphore same = NamedSemaphore.OpenExisting(name, default(NamedWaitHandleOptions));
        Assert.True(same.WaitOne(0));
        Assert.False(own.WaitOne(0));
        using NamedSemaphore shared = NamedSemaphore.OpenExisting(name, s_machine);
        Assert.Equal(0, shared.Release());
        Assert.True(machine.WaitOne(0));
    }

    [Fact]
    public void Only_the_objects_of_the_machine_let_other_users_in()
    {
        string name = NextName();
        using var machine = new NamedSemaphore(0, 1, @"Global\" + name);
        using var own = new NamedMutex(false, name);
        using NamedMemory map = NamedMemory.CreateNew(@"Global\" + name, 10);
        foreach (string file in FilesOf(name))
        {
            UnixFileMode everyone = UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
            Assert.Equal(file.Contains(".g~", StringComparison.Ordinal) ? everyone : 0,
                File.GetUnixFileMode(file) & everyone);
        }

        Assert.Equal(3, FilesOf(name).Length);
    }

    private static string Key(ObjectKind kind, string name, NamedWaitHandleOptions? options = null)
        => ObjectName.Of(kind, name, options).Key.ToString();
}
