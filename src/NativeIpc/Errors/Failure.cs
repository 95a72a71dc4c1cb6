using System.Globalization;
using System.Runtime.InteropServices;

namespace NativeIpc.Errors;

/// <summary>Builds every <see cref="NativeIpcException"/>, so that each message says what was tried, on which key, what
/// the system said and what to do.</summary>
internal static class Failure
{
    /// <summary>A system call failed.</summary>
    /// <param name="error">The meaning that the back end gives to the number.</param>
    /// <param name="attempt">What was tried, to follow "Cannot": "create the segment".</param>
    /// <param name="key">The key of the object.</param>
    /// <param name="call">The system call.</param>
    /// <param name="number">The system's error number.</param>
    /// <param name="remedy">What to do next: a whole sentence.</param>
    public static NativeIpcException Of(NativeIpcError error, string attempt, in NativeIpcKey key, string call,
        int number, string remedy)
        => new(error, call, key, number,
            $"Cannot {attempt} {Describe(key)}: {call} says \"{Marshal.GetPInvokeErrorMessage(number)}\" "
                + $"(error {number}). {remedy}");

    /// <summary>The failure was found without a system call.</summary>
    /// <param name="error">The kind of failure.</param>
    /// <param name="attempt">What was tried, to follow "Cannot".</param>
    /// <param name="key">The key of the object.</param>
    /// <param name="operation">The operation of this library.</param>
    /// <param name="finding">What was found: a clause without a full stop.</param>
    /// <param name="remedy">What to do next: a whole sentence.</param>
    /// <param name="number">The error number that tells the same, if there is one.</param>
    public static NativeIpcException Found(NativeIpcError error, string attempt, in NativeIpcKey key, string operation,
        string finding, string remedy, int number = 0)
        => new(error, operation, key, number,
            $"Cannot {attempt} {Describe(key)}: {finding} "
                + $"(in {operation}{(number == 0 ? "" : $", error {number}")}). {remedy}");

    /// <summary>A look at the objects of the machine has left something out.</summary>
    /// <param name="error">The meaning of the number.</param>
    /// <param name="attempt">What was tried, to follow "Cannot".</param>
    /// <param name="call">The system call.</param>
    /// <param name="number">The system's error number.</param>
    /// <param name="remedy">What to do next: a whole sentence.</param>
    /// <param name="cause">What ended the look, if anything did.</param>
    public static NativeIpcException NotLooked(NativeIpcError error, string attempt, string call, int number,
        string remedy, Exception? cause)
        => new(error, call, default, number,
            $"Cannot {attempt}: {call} says \"{Marshal.GetPInvokeErrorMessage(number)}\" (error {number}), and what "
                + $"could not be opened would be left out. {remedy}", cause);

    /// <summary>CreateOrOpen found a segment that is too small.</summary>
    public static NativeIpcException TooSmall(in NativeIpcKey key, long actual, long wanted)
        => Found(NativeIpcError.InvalidSize, "open the segment", key, "CreateOrOpen",
            $"it has {actual} bytes, and {wanted} were asked for",
            "Ask for no more than it has, set AllowSmaller, or remove it and make it anew.");

    /// <summary>An object that was listed, that no key leads to, and that its back end opens in no other way.</summary>
    public static NativeIpcException WithoutKey(string attempt, in NativeIpcKey name)
        => Found(NativeIpcError.KeyError, attempt, name, "open", "no key leads to it",
            "Read it with IpcObjects.Read, which needs none.");

    /// <summary>Another object has the name of one that was listed.</summary>
    public static NativeIpcException NotTheListed(string attempt, in NativeIpcKey name)
        => Found(NativeIpcError.NotFound, attempt, name, "open", "another object has taken its name", "Look again.");

    /// <summary>A number of permits, in words of a sentence.</summary>
    public static string Permits(int count)
        => count == 1 ? "1 permit" : string.Create(CultureInfo.InvariantCulture, $"{count} permits");

    /// <summary>A release that would pass the maximum of the instance; it gave nothing.</summary>
    public static NativeIpcException OverMaximum(in NativeIpcKey key, int count, int maximum)
        => Found(NativeIpcError.OutOfResources, $"release {Permits(count)} of the semaphore", key, "Release",
            $"the count would pass {maximum}, the MaximumCount of this instance, and no permit was given",
            "Release no more than was acquired or is meant to be there, or open it with a larger MaximumCount.");

    /// <summary>A release of a robust semaphore by a caller that does not hold it.</summary>
    public static InvalidOperationException NotHeld(in NativeIpcKey key, int count)
        => new($"Cannot release {Permits(count)} of the semaphore {Describe(key)}: with Robust it is a lock of one "
            + $"permit, and this instance does not hold it (or a peer has reset it). Release once for each acquire, "
            + $"by the instance that acquired.");

    /// <summary>Both forms of a key: the text that peers exchange, and what the system sees.</summary>
    public static string Describe(in NativeIpcKey key)
    {
        if (IsNumber(key))
            return key.NativeKey == PrivateKey ? "without a key (IPC_PRIVATE)" : $"with the key {key.NativeKey}";
        if (IsPath(key)) return Printable(key.NativeKey);
        string text = key.ToString() ?? "";
        string type = key.Type switch
        {
            NativeIpcKeyType.PosixRealtime => "POSIX",
            NativeIpcKeyType.Windows => "Windows",
            NativeIpcKeyType.Invalid => "invalid",
            _ when key.Type.IsSystemV => $"System V project id {(int)key.Type}",
            _ => $"type 0x{(int)key.Type:x}",
        };
        return text.Length == 0
            ? $"the key with native key \"{Printable(key.NativeKey)}\" ({type})"
            : $"{Printable(text)} (native key \"{Printable(key.NativeKey)}\", {type})";
    }

    private const string PrivateKey = "0x00000000";

    /// <summary>Whether a key stands for a System V object of which only the number is known, as the list tells it
    /// (<c>IpcObjectInfo.NativeName</c>): no key file, and no project id.</summary>
    private static bool IsNumber(in NativeIpcKey key)
        => key.Type.IsSystemV && key.NativeKey.Length == PrivateKey.Length && key.NativeKey is ['0', 'x', ..]
            && uint.TryParse(key.NativeKey.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture,
                out _);

    /// <summary>Whether a key stands for a POSIX object to which none leads: it is the path of the file
    /// then. No key has a second slash.</summary>
    private static bool IsPath(in NativeIpcKey key)
        => key.Type == NativeIpcKeyType.PosixRealtime
            && key.NativeKey.StartsWith("/dev/shm/", StringComparison.Ordinal);

    /// <summary>How a command names the object that a key stands for, not yet quoted; null for none.</summary>
    internal static string? ForCommand(in NativeIpcKey key)
        => IsPath(key) ? key.NativeKey
            : !IsNumber(key) ? key.ToString() : key.NativeKey == PrivateKey ? null : $"key:{key.NativeKey}";

    /// <summary>A key in one line, as short as it can be: its text form, or what the system sees when it has
    /// none.</summary>
    public static string Name(in NativeIpcKey key)
    {
        string text = key.ToString() ?? "";
        return Printable(text.Length > 0 ? text : $"\"{key.NativeKey}\" (type {(int)key.Type})");
    }

    /// <summary>Keys may hold any text: what is no visible character (control characters, marks of direction, halves of
    /// surrogate pairs) would break the line that a message is, or make it look like another one.</summary>
    internal static string Printable(string text)
    {
        const int longest = 300;
        var shown = new System.Text.StringBuilder();
        string head = text.Length > longest ? text[..longest] : text;
        for (int at = 0; at < head.Length;)
        {
            if (IsVisible(head, at, out int length))
            {
                shown.Append(head, at, length);
            }
            else
            {
                for (int i = at; i < at + length; i++)
                    shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)head[i]:x4}");
            }

            at += length;
        }

        if (text.Length > longest) shown.Append('…');
        return shown.ToString();
    }

    /// <summary>Whether all characters of a text are visible, so that what is shown can be typed.</summary>
    internal static bool IsPrintable(string text)
    {
        for (int at = 0, length; at < text.Length; at += length)
        {
            if (!IsVisible(text, at, out length)) return false;
        }

        return true;
    }

    private static bool IsVisible(string text, int at, out int length)
    {
        bool isRune = System.Text.Rune.TryGetRuneAt(text, at, out System.Text.Rune rune);
        length = isRune ? rune.Utf16SequenceLength : 1;
        return isRune && System.Text.Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control
            or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
    }

    /// <summary>A text as one word of a shell.</summary>
    internal static string Quote(string text)
    {
        foreach (char one in text)
        {
            if (!char.IsAsciiLetterOrDigit(one) && !"/._-+:,@%".Contains(one))
                return $"'{text.Replace("'", "'\\''", StringComparison.Ordinal)}'";
        }

        return text;
    }
}
