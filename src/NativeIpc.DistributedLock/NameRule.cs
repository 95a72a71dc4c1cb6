using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace NativeIpc.DistributedLock;

/// <summary>What stands behind a name.</summary>
internal enum GateKind
{
    /// <summary>A semaphore of one permit.</summary>
    Lock,

    /// <summary>A semaphore of so many permits as its maximum says.</summary>
    Semaphore,

    /// <summary>The segment that has the maximum of a semaphore.</summary>
    Maximum,
}

/// <summary>The rule that makes keys of names. It is a contract: README.md has it, and processes of different versions
/// meet by it.</summary>
internal static class NameRule
{
    internal const int LongestPrefix = 40;
    internal const int LongestPlainName = 100;
    private const int LongestStart = 24;
    private const int HashBytes = 16;

    private static readonly SearchValues<char> s_plain =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    /// <summary>Refuses a prefix that not every system can have in a name.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    internal static void CheckPrefix(string prefix)
    {
        if (prefix is { Length: > 0 and <= LongestPrefix } && !prefix.AsSpan().ContainsAnyExcept(s_plain)) return;
        throw new ArgumentException(
            $"The prefix '{prefix}' must be 1 to {LongestPrefix} ASCII letters, digits, '.', '_' or '-'.",
            nameof(prefix));
    }

    /// <summary>The key of what stands behind a name.</summary>
    /// <remarks>A prefix and a word have no <c>~</c>, and none of the words ends with another one: so the first
    /// <c>~</c> ends the word, the word tells the prefix, and no two of them meet at a key.</remarks>
    internal static NativeIpcKey KeyOf(string name, GateKind kind, NativeIpcDistributedLockOptions options)
    {
        string text = $"{options.Prefix}{Word(kind)}~{Safe(name)}";
        return kind == GateKind.Maximum ? SharedMemory.PlatformSafeKeyUncut(text, options.ChosenType)
            : SystemSemaphore.PlatformSafeKeyUncut(text, options.ChosenType);
    }

    /// <summary>The name as it is if that works everywhere; otherwise its start and a hash. Two names give one text
    /// only if their hashes are the same: a plain name has no <c>~</c>.</summary>
    internal static string Safe(string name)
    {
        if (name is { Length: > 0 and <= LongestPlainName } && !name.AsSpan().ContainsAnyExcept(s_plain)) return name;
        // Encodings make one of all lone surrogates: the code units are hashed as they are.
        var units = new byte[2 * name.Length];
        for (int i = 0; i < name.Length; i++)
            BinaryPrimitives.WriteUInt16LittleEndian(units.AsSpan(2 * i), name[i]);
        byte[] hash = SHA256.HashData(units);
        var safe = new StringBuilder(LongestStart + 1 + (2 * HashBytes));
        foreach (char character in name.AsSpan(0, Math.Min(name.Length, LongestStart)))
            safe.Append(s_plain.Contains(character) ? character : '_');
        return safe.Append('~').Append(Convert.ToHexStringLower(hash, 0, HashBytes)).ToString();
    }

    private static string Word(GateKind kind)
        => kind switch { GateKind.Lock => "lock", GateKind.Semaphore => "sem", _ => "max" };
}
