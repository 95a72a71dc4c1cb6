using System.Text;

namespace NativeIpc.Analyzers;

/// <summary>Which texts are keys: the rule of <c>NativeIpcKey.TryParse</c>, for compilers that do not run on its .NET.
/// A test holds both together.</summary>
internal static class KeyRule
{
    private const string SystemV = "systemv-";

    /// <summary>Why a text is no key; null when it is one.</summary>
    public static string? FindFault(string text)
    {
        int colon = text.IndexOf(':');
        if (colon < 0) return "it lacks the type and its colon (posix:, systemv:, systemv-N: or windows:)";
        if (FindFaultOfType(text.Substring(0, colon)) is { } wrongType) return wrongType;
        string rest = text.Substring(colon + 1);
        int fragment = rest.IndexOf('#');
        if (fragment >= 0) rest = rest.Substring(0, fragment); // passed over, whatever it holds
        int question = rest.IndexOf('?');
        string path = question < 0 ? rest : rest.Substring(0, question);
        if (path.StartsWith("//", StringComparison.Ordinal))
        {
            string host = path.Substring(2);
            int slash = host.IndexOf('/');
            if (slash >= 0) host = host.Substring(0, slash);
            if (host is not ("" or "@" or ":" or "@:"))
                return "after two slashes it names a host, which a key has not (write /%2F… for a name with two)";
        }

        return question < 0 ? null : FindFaultOfQuery(rest.Substring(question + 1));
    }

    private static string? FindFaultOfType(string type)
    {
        if (Is(type, "posix") || Is(type, "systemv") || Is(type, "windows")) return null;
        if (type.Length < SystemV.Length || !Is(type.Substring(0, SystemV.Length), SystemV))
            return "the type is none of posix, systemv, systemv-N and windows";
        int number = 0;
        foreach (char digit in type.Substring(SystemV.Length))
        {
            number = digit is >= '0' and <= '9' ? Math.Min((number * 10) + digit - '0', 1000) : 1000;
        }

        return number is >= 1 and <= 255 ? null : "the project id after systemv- is not a number from 1 to 255";
    }

    private static string? FindFaultOfQuery(string query)
    {
        if (query.Length == 0) return null;
        bool isEscaped = HasOnlyWholeEscapes(query);
        string items = query[query.Length - 1] == '&' ? query.Substring(0, query.Length - 1) : query;
        foreach (string item in items.Split('&'))
        {
            int equals = item.IndexOf('=');
            string name = equals < 0 ? item : item.Substring(0, equals);
            if ((isEscaped ? Decode(name) : name) != "legacyKey")
                return "the query has an item other than legacyKey=NAME";
        }

        return null;
    }

    private static bool Is(string text, string word) => text.Equals(word, StringComparison.OrdinalIgnoreCase);

    private static bool HasOnlyWholeEscapes(string part)
    {
        for (int at = part.IndexOf('%'); at >= 0; at = part.IndexOf('%', at + 3))
        {
            if (at + 2 >= part.Length || !IsHex(part[at + 1]) || !IsHex(part[at + 2])) return false;
            if (at + 3 == part.Length) break;
        }

        return true;
    }

    private static bool IsHex(char digit) => digit is (>= '0' and <= '9') or (>= 'a' and <= 'f') or (>= 'A' and <= 'F');

    /// <summary>Each escape as a character of its own: enough to compare with a word of ASCII.</summary>
    private static string Decode(string part)
    {
        var text = new StringBuilder(part.Length);
        for (int i = 0; i < part.Length; i++)
        {
            bool isEscape = part[i] == '%';
            text.Append(isEscape ? (char)Convert.ToByte(part.Substring(i + 1, 2), 16) : part[i]);
            if (isEscape) i += 2;
        }

        return text.ToString();
    }
}
