namespace NativeIpc.Tool.Verbs;

/// <summary>Which rule made which part of a native key, for <c>--explain</c>.</summary>
internal static class KeyParts
{
    private const string SharedFolder = "/tmp/";
    private const string CutAt = "the name, cut: Qt keeps its first 29 UTF-16 units here";

    public static IReadOnlyList<KeyPart> OfSafeKey(string name, in NativeIpcKey key, bool wasCut)
    {
        string native = key.NativeKey;
        if (native.Length == 0) return [];
        if (key.Type == NativeIpcKeyType.Windows)
        {
            int space = native.StartsWith(@"Local\", StringComparison.Ordinal)
                ? 6 : native.StartsWith(@"Global\", StringComparison.Ordinal) ? 7 : 0;
            List<KeyPart> parts = space == 0
                ? [] : [new KeyPart(native[..space], "the session's or the machine's name space, kept in front")];
            int prefix = KindPrefixLength(native.AsSpan(space));
            string kind = native.Substring(space, prefix);
            parts.Add(new KeyPart(kind, (kind == "event_" ? "NativeIpc's" : "Qt's")
                + " prefix: all kinds of objects share one space of names on Windows"));
            AddName(parts, native[(space + prefix)..],
                wasCut ? "the name, cut: Qt keeps MAX_PATH (260) UTF-16 units of the whole" : "the name");
            return parts;
        }

        if (key.Type == NativeIpcKeyType.PosixRealtime)
        {
            if (native == name)
                return [new KeyPart(native, "the name as it is: the App Sandbox wants <application group>/<name>")];
            List<KeyPart> parts = [new KeyPart("/", "POSIX names start with a slash")];
            AddName(parts, native[1..], wasCut ? CutAt : "the name");
            return parts;
        }

        if (native == name) return [new KeyPart(native, "the name as it is: an absolute path, for ftok()")];
        string folder = native[..^name.Length];
        List<KeyPart> file =
            [new KeyPart(folder, "the user's runtime folder (XDG_RUNTIME_DIR): System V keys are files, for ftok()")];
        AddName(file, name, "the name");
        return file;
    }

    /// <summary>How long what stands before a name on Windows is: which kind of object it is of; 0 for none.</summary>
    public static int KindPrefixLength(ReadOnlySpan<char> name)
        => name.StartsWith("shm_") || name.StartsWith("sem_") ? 4 : name.StartsWith("event_") ? 6 : 0;

    /// <summary>Whether a System V key is one of a scope that all users share.</summary>
    public static bool IsScopedFile(in NativeIpcKey key)
        => key.Type.IsSystemV && key.LegacyKey.Length == 0
            && key.NativeKey.StartsWith(SharedFolder, StringComparison.Ordinal)
            && ScopeOf(key.NativeKey[SharedFolder.Length..]) is { Word: "m" or ['s', ..] };

    /// <summary>The parts of such a key.</summary>
    public static IReadOnlyList<KeyPart> OfScopedFile(in NativeIpcKey key)
    {
        List<KeyPart> parts =
            [new KeyPart(SharedFolder, "the folder that all users have: System V keys are files, for ftok()")];
        AddName(parts, key.NativeKey[SharedFolder.Length..], "the name");
        return parts;
    }

    private static void AddName(List<KeyPart> parts, string name, string rule)
    {
        if (ScopeOf(name) is { } scope)
        {
            parts.Add(new KeyPart($"~{scope.Word}.", scope.Rule));
            name = name[(scope.Word.Length + 2)..];
        }

        parts.Add(new KeyPart(name, rule));
    }

    /// <summary>What stands between <c>~</c> and the first dot of a name that has a scope (NameScope), and whose that
    /// is.</summary>
    private static (string Word, string Rule)? ScopeOf(string name)
    {
        int dot = name.IndexOf('.', StringComparison.Ordinal);
        if (dot < 2 || name[0] != '~') return null;
        string word = name[1..dot];
        return word == "m" ? (word, "the scope: the machine")
            : word.All(char.IsAsciiDigit) ? (word, "the scope: the user with this number")
            : word[0] == 's' && word.Length > 1 && word[1..].All(char.IsAsciiDigit)
                ? (word, "the scope: the session with this number")
            : word.StartsWith("S-1-", StringComparison.Ordinal)
                ? (word, "the scope: the user with this security identifier")
            : null;
    }

    public static IReadOnlyList<KeyPart> OfLegacyKey(string name, in NativeIpcKey key)
    {
        string native = key.NativeKey;
        if (native.Length == 0) return [];
        if (native == name)
            return [new KeyPart(native, "the name as it is: the App Sandbox wants <application group>/<name>")];
        string letters = string.Concat(name.Where(char.IsAsciiLetter));
        int qipc = native.IndexOf("qipc_", StringComparison.Ordinal);
        if (qipc < 0)
            return [new KeyPart("/", "POSIX names start with a slash"),
                new KeyPart(native[1..],
                    "the start of the SHA-1 of the name in UTF-8: 29 hex digits fit on Apple systems")];
        int prefix = native.IndexOf('_', qipc + "qipc_".Length) + 1;
        List<KeyPart> parts = [];
        if (qipc > 0)
            parts.Add(new KeyPart(native[..qipc],
                key.Type == NativeIpcKeyType.PosixRealtime ? "POSIX names start with a slash"
                    : "the temporary folder (TMPDIR): System V keys are files, for ftok()"));
        parts.Add(new KeyPart(native[qipc..prefix], "Qt's prefix for the kind of object"));
        if (letters.Length > 0) parts.Add(new KeyPart(letters, "the ASCII letters of the name"));
        parts.Add(new KeyPart(native[(prefix + letters.Length)..], "the SHA-1 of the name in UTF-8"));
        return parts;
    }
}
