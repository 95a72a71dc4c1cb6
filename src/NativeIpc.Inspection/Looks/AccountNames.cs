using NativeIpc.Platform;

namespace NativeIpc.Inspection.Looks;

/// <summary>Names of users and groups, each looked up once. Used by one thread.</summary>
internal sealed class AccountNames
{
    private readonly Dictionary<uint, string?> _users = [];
    private readonly Dictionary<uint, string?> _groups = [];

    /// <summary>The login name of a user; null when the user has none, or is not known:
    /// <see cref="RealIds"/>.</summary>
    public string? User(uint id) => RealIds.Users.IsReal(id) ? Find(_users, id, UserDirectories.LoginName) : null;

    /// <summary>The name of a group; null when it has none, or is not known.</summary>
    public string? Group(uint id) => RealIds.Groups.IsReal(id) ? Find(_groups, id, UserGroups.Name) : null;

    private static string? Find(Dictionary<uint, string?> known, uint id, Func<uint, string> look)
    {
        if (!known.TryGetValue(id, out string? name))
            known[id] = name = look(id) is { Length: > 0 } found ? found : null;
        return name;
    }
}
