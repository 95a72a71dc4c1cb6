namespace NativeIpc.Tool.Verbs;

/// <summary>Which rule made which part of a native key, for <c>--explain</c>.</summary>
internal static class KeyParts
{
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
            parts.Add(new KeyPart(native.Substring(space, 4),
                "Qt's prefix: all kinds of objects share one space of names on Windows"));
            parts.Add(new KeyPart(native[(space + 4)..],
                wasCut ? "the name, cut: Qt keeps MAX_PATH (260) UTF-16 units of the whole" : "the name"));
            return parts;
        }

        if (key.Type == NativeIpcKeyType.PosixRealtime)
        {
            if (native == name)
                return [new KeyPart(native, "the name as it is: the App Sandbox wants <application group>/<name>")];
            return [new KeyPart("/", "POSIX names start with a slash"),
                new KeyPart(native[1..], wasCut ? CutAt : "the name")];
        }

        if (native == name) return [new KeyPart(native, "the name as it is: an absolute path, for ftok()")];
        string folder = native[..^name.Length];
        return [new KeyPart(folder, "the user's runtime folder (XDG_RUNTIME_DIR): System V keys are files, for ftok()"),
            new KeyPart(name, "the name")];
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
