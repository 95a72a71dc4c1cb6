using System.Text;

namespace NativeIpc.Tool.Output;

/// <summary>The library's messages are for programmers: they name its members. Here those become what this tool has for
/// the same. A test goes through every message of the library.</summary>
internal static class ToolWords
{
    // Whole phrases come before the words in them. KEY stands for the key.
    private static readonly (string Library, string Tool)[] s_phrases =
    [
        ("Open it, use CreateOrOpen, or remove a leftover with Remove (or ipcrm -m)",
            "--or-open takes what is there, 'nipc show KEY' describes it, 'nipc rm KEY' removes it"),
        ("Open it, use CreateOrOpen, or remove a leftover with Remove",
            "--or-open takes what is there, 'nipc show KEY' describes it, 'nipc rm KEY' removes it"),
        ("Open it, use CreateOrOpen, or CreateOrReset to take over a leftover with a fresh count",
            "--or-open takes what is there, --reset sets its count, too; 'nipc show KEY' describes it, 'nipc rm KEY' "
                + "removes it"),
        ("Open it, use CreateOrOpen, or CreateOrReset to take over a leftover with a fresh state",
            "--or-open takes what is there, --reset sets its state, too; 'nipc show KEY' describes it, 'nipc rm KEY' "
                + "removes it"),
        ("Ask for the mode that it has, use OpenExisting, which takes either, or use another key",
            "Ask for the mode that it has, or use another key; 'nipc show KEY' describes it"),
        ("A System V event cannot be reclaimed: the kernel does not count who uses a set, so nobody can tell "
            + "whether its users are dead. Use CreateOrReset, or a POSIX key",
            "A System V event cannot be reclaimed. Use --reset"),
        ("Open it, or use CreateOrOpen; or", "--or-open takes what is there, 'nipc show KEY' describes it; or"),
        ("Try again, or use CreateOrOpen, which completes it",
            "Try again, or complete it with 'nipc create' and --or-open"),
        ("or use CreateOrOpen", "or make it with 'nipc create'; 'nipc list' shows what is there"),
        ("A creating call (CreateNew, CreateOrOpen, CreateOrReset) recovers it", "'nipc create' recovers it"),
        ("A creating call (CreateNew, CreateOrOpen) recovers it", "'nipc create' recovers it"),
        ("Ask for no more than it has, set AllowSmaller, or remove it and make it anew",
            "Ask for no more than it has, or remove it with 'nipc rm KEY' and make it anew; 'nipc show KEY' describes "
                + "it"),
        ("A System V semaphore cannot be reclaimed: the kernel does not count who uses a set, so nobody can tell "
            + "whether its users are dead. Use CreateOrReset", "A System V semaphore cannot be reclaimed. Use --reset"),
        ("end its users, or accept the count that it has (AcceptExistingCount, as Qt silently does)",
            "end its users, or leave --reset out and take the count that it has with --or-open"),
        ("Read it with IpcObjects.Read, which needs none", "'nipc show', 'nipc read' and 'nipc dump' need none"),
        ("Release no more than was acquired or is meant to be there, or open it with a larger MaximumCount",
            "Release no more than was acquired or is meant to be there"),
        ("the MaximumCount of this instance", "the maximum"),
        ("; or set RemoveAtProcessExit to false", ""),
        ("set AllowOtherOwners", "give --allow-other-owners"),
        ("AllowOtherOwners", "--allow-other-owners"),
        ("Make one with PlatformSafeKey or LegacyNativeKey, or",
            "Make one with 'nipc key safe NAME' or 'nipc key legacy NAME', or"),
        ("PlatformSafeKeyUncut refuses a name that gives such a key",
            "'nipc key parse KEY --explain' says which rule it breaks"),
        ("a name made by PlatformSafeKey", "a key that 'nipc key safe NAME' makes"),
        ("a key made by PlatformSafeKey", "a key that 'nipc key safe NAME' makes"),
        ("one made by PlatformSafeKey", "one that 'nipc key safe NAME' makes"),
        ("or PlatformSafeKey, which", "or a key that 'nipc key safe NAME' makes, which"),
        ("let PlatformSafeKey make it from one (with a type that this system supports: a type of another one gives an "
            + "empty key, and NativeIpcKeyRules makes its keys)",
            "let 'nipc key safe NAME' make one"),
        ("Use a type that it has, or NativeIpcKeyRules for a key of another system", "Use a type that it has"),
        ("Ask IsKeyTypeSupported first, and use a key of another type", "Use a key of another type"),
        ("Ask IsKeyTypeSupported first, or use a key of NativeIpcKey.DefaultType",
            "Use a key of another type, or a bare name"),
        ("a POSIX key (NativeIpcKeyType.PosixRealtime)", "a posix: key"),
        ("or do without the lock (UseLock = false)", "or do without --lock"),
        ("Or do without the lock (UseLock = false)", "Or do without --lock"),
        ("a SystemSemaphore of your own", "a semaphore of your own"),
        ("Use a SystemSemaphore", "Use a semaphore"),
        ("only Robust semaphores with POSIX keys", "only semaphores made with --robust and posix: keys"),
        ("less, or for Sparse allocation, or raise", "less, or raise"),
        ("ask for less, or for Sparse allocation and fill no more than fits", "ask for less"),
        (", or ask for Sparse allocation", ", or ask for less"),
        ("Ask for Sparse allocation, mount", "Mount"),
        (", since its allocation is Sparse", ", since none was reserved for it"),
        ("is as with Sparse, since", "has no memory reserved, since"),
        (", or for Reserve instead of Populate", ""),
        ("use the undo policy None or AcquireOnly for a producer that only releases", "give fewer permits"),
        ("use the undo policy None", "use 'nipc acquire' and 'nipc release', which need none"),
        // 'nipc read' and its like do so anyway, and 'nipc write' cannot.
        (", open it for reading only, or", ", or"),
        ("It is sealed against writing (F_SEAL_WRITE): open it for reading only",
            "It is sealed against writing (F_SEAL_WRITE): 'nipc read KEY' reads it"),
        ("reading): open it for reading only", "reading): 'nipc read KEY' reads it"),
        ("a wider Mode", "a wider mode (--mode)"),
        ("that Group", "that group"),
        ("That Group", "That group"),
        ("with Group:", "with --group:"),
        ("(RemovalPolicy.Keep, and any of", "(those of 'nipc create', and any of"),
        ("fail with OutOfResources", "fail (exit code 5)"),
        ("(SecurityDescriptor)", "(a security descriptor)"),
        ("Robust and RequireLockRecovery need locks", "--robust needs locks"),
        ("as Robust and RequireLockRecovery ask", "as --robust asks"),
        ("do without RequireLockRecovery and Robust", "do without --robust"),
        (", or remove it whoever uses it (Remove)", ", or give --force"),
        ("Robust System V semaphores", "System V semaphores with --robust"),
        ("Robust is not offered", "--robust is not offered"),
        ("Robust needs", "--robust needs"),
        ("with Robust", "with --robust"),
        ("dispose what is not used", "end what is not used"),
    ];

    /// <summary>A message in the tool's own words.</summary>
    /// <param name="message">The library's.</param>
    /// <param name="key">What names the object on the command line, to be typed in a shell.</param>
    /// <param name="names">What stands in the message as it is: what somebody has called an object.</param>
    public static string Of(string message, string key, params ReadOnlySpan<string> names)
        => WithKey(Keeping(message, names), key);

    /// <summary>A message in the tool's own words, KEY as it stands.</summary>
    /// <param name="message">The library's.</param>
    /// <param name="names">What stands in the message as it is: what somebody has called an object.</param>
    public static string Keeping(string message, params ReadOnlySpan<string> names)
    {
        (int at, string first) = (-1, "");
        foreach (string name in names)
        {
            // Only one with words of the library in it: a short one may be a part of any word.
            if (Told($" {name}. ") == $" {name}. ") continue;
            int found = message.IndexOf(name, StringComparison.Ordinal);
            if (found >= 0 && (at < 0 || (found, -name.Length).CompareTo((at, -first.Length)) < 0))
                (at, first) = (found, name);
        }

        return at < 0 ? Told(message)
            : $"{Told(message[..at])}{first}{Keeping(message[(at + first.Length)..], names)}";
    }

    private static string Told(string message)
    {
        message = WithoutOperation(message);
        foreach ((string library, string tool) in s_phrases)
            message = message.Replace(library, tool, StringComparison.Ordinal);
        if (OperatingSystem.IsWindows())
            message = message.Replace("'nipc create'", "'nipc create' and --hold", StringComparison.Ordinal);
        return message;
    }

    /// <summary>A message without the operation of the library that found a failure: <c>(in CreateNew). </c>, or
    /// <c>(in owner check, error 13). </c>, whose number stays.</summary>
    private static string WithoutOperation(string message)
    {
        const string opening = " (in ", numbered = ", error ";
        for (int at = 0; (at = message.IndexOf(opening, at, StringComparison.Ordinal)) >= 0; at++)
        {
            int end = message.IndexOf("). ", at, StringComparison.Ordinal);
            if (end < 0) break;
            string within = message[(at + opening.Length)..end];
            int comma = within.IndexOf(numbered, StringComparison.Ordinal);
            string operation = comma < 0 ? within : within[..comma];
            string number = comma < 0 ? "" : within[(comma + numbered.Length)..];
            if (operation.Length == 0 || !operation.All(c => char.IsAsciiLetter(c) || c == ' ')) continue;
            if (comma >= 0 && (number.Length == 0 || !number.All(char.IsAsciiDigit))) continue;
            message = $"{message[..at]}{(comma < 0 ? "" : $" (error {number})")}{message[(end + 1)..]}";
        }

        return message;
    }

    /// <summary>A text with the key in place of KEY.</summary>
    public static string WithKey(string text, string key)
    {
        const string placeholder = "KEY";
        var whole = new StringBuilder();
        int from = 0;
        for (int at; (at = text.IndexOf(placeholder, from, StringComparison.Ordinal)) >= 0; from = at
            + placeholder.Length)
        {
            bool isWord = !(at > 0 && IsOfWord(text[at - 1]))
                && !(at + placeholder.Length < text.Length && IsOfWord(text[at + placeholder.Length]));
            whole.Append(text, from, at - from).Append(isWord ? ForShell(key) : placeholder);
        }

        return whole.Append(text, from, text.Length - from).ToString();
    }

    /// <summary>A word as a shell takes it: in quotes where it has other characters than names have.</summary>
    public static string ForShell(string word)
    {
        if (word.Length > 0 && word.All(c => IsOfWord(c) || "@%+=:,./-".Contains(c))) return word;
        var quoted = new StringBuilder("\"");
        foreach (char c in word) quoted.Append("\"$`\\!".Contains(c) ? "\\" : "").Append(c);
        return quoted.Append('"').ToString();
    }

    private static bool IsOfWord(char c) => char.IsLetterOrDigit(c) || c == '_';
}
