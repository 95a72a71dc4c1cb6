using Xunit;

namespace NativeIpc.DistributedLock.Tests;

/// <summary>The rule for names is a contract between versions: README.md has it.</summary>
public sealed class NameRuleTests
{
    private const NativeIpcKeyType Posix = NativeIpcKeyType.PosixRealtime;

    [Theory]
    [InlineData("orders", "posix:/nipc.lock~orders")]
    [InlineData("Orders", "posix:/nipc.lock~Orders")]
    [InlineData("a/b", "posix:/nipc.lock~a_b~6df7cee24c7627c8517c73bf5f10ca67")]
    [InlineData("a_b", "posix:/nipc.lock~a_b")]
    public void A_name_has_this_key(string name, string key)
    {
        var options = new NativeIpcDistributedLockOptions { KeyType = Posix };
        Assert.Equal(key, $"{new NativeIpcDistributedLock(name, options).Key}");
        Assert.Equal(key.Replace("lock~", "sem~", StringComparison.Ordinal),
            $"{new NativeIpcDistributedSemaphore(name, 1, options).Key}");
    }

    [Fact]
    public void Names_that_are_easily_taken_for_one_another_have_keys_of_their_own()
    {
        string longest = new('x', NameRule.LongestPlainName);
        string[] names =
        [
            "", " ", "_", "a/b", "a\\b", "a_b", "a b", "a~b", "~", "/", ".", "..", "a\0b", "é", "e\u0301", "\ud800",
            "\ud801", longest, longest + "x", longest + "y", NameRule.Safe("a/b"),
        ];
        Assert.Equal(names.Length, names.Select(NameRule.Safe).Distinct(StringComparer.OrdinalIgnoreCase).Count());
        foreach (string name in names)
        {
            string safe = NameRule.Safe(name);
            Assert.Matches("^[A-Za-z0-9._~-]{1,100}$", safe);
            foreach (NativeIpcKeyType type in new[] { Posix, NativeIpcKeyType.SystemV, NativeIpcKeyType.Windows })
            {
                var options = new NativeIpcDistributedLockOptions
                    { KeyType = type, Prefix = new string('p', NameRule.LongestPrefix) };
                Assert.True(NameRule.KeyOf(name, GateKind.Maximum, options).NativeKey.Length < 250);
            }
        }
    }

    [Fact]
    public void Prefixes_and_kinds_never_meet()
    {
        var keys = new Dictionary<NativeIpcKey, string>();
        string[] prefixes = ["a.", "a.lock", "a.lock.", "a.sem.", "a.max.", "nipc.limit.", "lock", "sem.lock"];
        string[] names = ["x", "lock", "lock.x", ".x", "sem.x", "max.x", "lock.lock.x", "a/b", ""];
        foreach (string prefix in prefixes)
        {
            var options = new NativeIpcDistributedLockOptions { KeyType = Posix, Prefix = prefix };
            foreach (string name in names)
            {
                foreach (GateKind kind in Enum.GetValues<GateKind>())
                    keys.Add(NameRule.KeyOf(name, kind, options), $"{prefix} {kind} {name}"); // throws if it is there
            }
        }

        // MachineConcurrencyLimiter's names have no '~'.
        Assert.All(keys, key => Assert.Contains('~', key.Key.NativeKey));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("ü")]
    [InlineData("0123456789012345678901234567890123456789x")]
    public void A_prefix_that_not_every_system_can_have_is_refused(string prefix)
        => Assert.Throws<ArgumentException>(() => new NativeIpcDistributedSynchronizationProvider(
            new NativeIpcDistributedLockOptions { Prefix = prefix }));

    [Fact]
    public void A_change_of_the_options_changes_nothing_that_was_made()
    {
        var options = new NativeIpcDistributedLockOptions { KeyType = Posix };
        var provider = new NativeIpcDistributedSynchronizationProvider(options);
        options.Prefix = "other.";
        Assert.Equal("posix:/nipc.lock~a", $"{provider.CreateLock("a").Key}");
    }
}
