using Xunit;

namespace NativeIpc.Machine;

/// <summary>Keys with a scope, beside other users: who meets, who is refused, and who is named.</summary>
[NeedsLinux("Uses Linux's tools.")]
[NeedsRoot(Victims.WhyRoot)]
public sealed class ScopeTests : IDisposable
{
    private const int User = 1234;
    private const int Stranger = 2000;
    private const string Open = "mode=666 removal=Keep";

    private readonly List<NativeIpcKey> _keys = [];

    public ScopeTests() => Victims.NeedRoot();

    public void Dispose()
    {
        foreach (NativeIpcKey key in _keys)
        {
            SharedMemory.Remove(key);
            SystemSemaphore.Remove(key);
            if (key.Type.IsSystemV) File.Delete(key.NativeKey);
        }
    }

    private NativeIpcKey Track(NativeIpcKey key)
    {
        _keys.Add(key);
        return key;
    }

    // What process of user 1234 makes of a name
    private NativeIpcKey KeyOfUser(Backend backend)
    {
        NativeIpcKey key = TestRun.NewKey(backend);
        int slash = key.NativeKey.LastIndexOf('/') + 1;
        return Track(key.WithNativeKey(key.NativeKey.Insert(slash, $"~{User}.")));
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_squatter_under_a_users_key_is_named_even_with_AllowOtherOwners(Backend backend)
    {
        NativeIpcKey segment = KeyOfUser(backend);
        NativeIpcKey semaphore = KeyOfUser(backend);
        Victims.Run(Situation.As(Stranger), $"segment-create {segment} 4096 {Open} others=true",
            $"semaphore-create {semaphore} 1 {Open} others=true").Did("created 4096", "created");
        VictimResult result = Victims.Run(Situation.As(User), $"segment-open {segment} others=true",
            $"segment-create-or-open {segment} 4096 others=true", $"semaphore-open {semaphore} others=true",
            $"semaphore-reset {semaphore} 1 others=true");
        string call = backend == Backend.Posix ? "owner check" : "key file check";
        for (int i = 0; i < 4; i++)
        {
            result[i].AssertSays(NativeIpcError.PermissionDenied, i < 2 ? segment : semaphore, call, 13);
            Assert.Contains($"belongs to user {Stranger}", result[i].Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void A_users_key_is_for_that_user_and_for_others_that_allow_other_owners(Backend backend)
    {
        NativeIpcKey key = KeyOfUser(backend);
        Victims.Run(Situation.As(User), $"segment-create {key} 4096 {Open}").Did("created 4096");
        VictimResult result = Victims.Run(Situation.As(Stranger), $"segment-open {key}",
            $"segment-open {key} others=true");
        result[0].AssertSays(NativeIpcError.PermissionDenied, key, "scope check");
        Assert.Contains($"the scope of user {User}, and this is user {Stranger}", result[0].Message,
            StringComparison.Ordinal);
        Assert.Equal("opened 4096", result[1].Did);
        Victims.Run(Situation.As(User), $"segment-open {key} others=true").Did("opened 4096");
    }

    [Theory]
    [InlineData(Backend.Posix)]
    [InlineData(Backend.SystemV)]
    public void Under_the_machines_scope_the_error_says_whose_it_is(Backend backend)
    {
        NativeIpcKey some = TestRun.NewKey(backend);
        string name = some.NativeKey[(some.NativeKey.LastIndexOf('/') + 1)..];
        NativeIpcKey segment = Track(SharedMemory.PlatformSafeKey(name, NameScope.Machine, some.Type));
        NativeIpcKey semaphore = Track(SystemSemaphore.PlatformSafeKey(name + "s", NameScope.Machine, some.Type));
        foreach (string mode in new[] { "removal=Keep", Open })
        {
            Victims.Run(Situation.As(User), $"segment-create {segment} 4096 {mode}",
                $"semaphore-create {semaphore} 1 {mode}").Did("created 4096", "created");
            VictimResult result = Victims.Run(Situation.As(Stranger), $"segment-create-or-open {segment} 4096",
                $"semaphore-create-or-open {semaphore} 1");
            for (int i = 0; i < 2; i++)
            {
                Assert.Equal(NativeIpcError.PermissionDenied, result[i].Error);
                Assert.Contains($"belongs to user {User}", result[i].Message, StringComparison.Ordinal);
            }

            SharedMemory.Remove(segment);
            SystemSemaphore.Remove(semaphore);
        }
    }

    [Fact]
    public void The_number_that_stands_for_all_that_are_not_mapped_has_no_scope()
    {
        NativeIpcKey key = Track(new NativeIpcKey($"/~65534.{TestRun.NewKey(Backend.Posix).NativeKey[1..]}",
            NativeIpcKeyType.PosixRealtime));
        VictimResult result = Victims.Run(Situation.As(User) with { UserNamespace = [] }, $"segment-create {key} 4096");
        result[0].AssertSays(NativeIpcError.PermissionDenied, key, "scope check");
        Assert.Contains("nobody that this user namespace maps", result[0].Message, StringComparison.Ordinal);
    }
}
