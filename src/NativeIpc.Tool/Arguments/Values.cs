using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace NativeIpc.Tool.Arguments;

/// <summary>Sizes, times and modes as people write them. What cannot be meant is an error of the command line, with the
/// forms that can.</summary>
internal static class Values
{
    private const UnixFileMode OwnerAccess = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public static Option<TimeSpan?> Timeout(string description) => new("--timeout", "-w")
    {
        HelpName = "TIME",
        Description = description,
        CustomParser = result => Parsed<TimeSpan?>(result, text => TryParseTime(text, out TimeSpan time) ? time : null,
            "is no time. Use seconds (5, 0.5) or a unit: 500ms, 5s, 2m, 1h."),
    };

    public static Option<UnixFileMode> Mode() => new("--mode", "-m")
    {
        HelpName = "MODE",
        Description = "Permission bits, octal, whatever the umask (default 600)",
        DefaultValueFactory = _ => OwnerAccess,
        CustomParser = result => Parsed<UnixFileMode?>(result,
            text => TryParseMode(text, out UnixFileMode mode) ? mode : null,
            "is no mode. Use octal digits, such as 600, 660 or 666.") ?? OwnerAccess,
    };

    public static Argument<long> Size() => new("SIZE")
    {
        Description = "Bytes, or with a unit of 1024: 64k, 16M, 2G",
        CustomParser = result => ParsedSize(result) ?? 0,
    };

    public static Option<long?> SizeOption(string name, string valueName, string description, params string[] aliases)
        => new(name, aliases)
    {
        HelpName = valueName,
        Description = description,
        CustomParser = ParsedSize,
    };

    /// <summary>Bytes: decimal, 0x hexadecimal, or with a unit of 1024 (k, M, G, T, with or without B or iB).</summary>
    public static bool TryParseSize(string text, out long size)
    {
        size = 0;
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return long.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out size)
                && size >= 0;
        int digits = text.AsSpan().IndexOfAnyExceptInRange('0', '9');
        if (digits == 0 || !long.TryParse(digits < 0 ? text : text.AsSpan(0, digits), NumberStyles.None,
            CultureInfo.InvariantCulture, out size))
            return false;
        int shift = digits < 0 ? 0 : text[digits..].ToUpperInvariant() switch
        {
            "B" => 0,
            "K" or "KB" or "KIB" => 10,
            "M" or "MB" or "MIB" => 20,
            "G" or "GB" or "GIB" => 30,
            "T" or "TB" or "TIB" => 40,
            _ => -1,
        };
        if (shift < 0 || size > long.MaxValue >> shift) return false;
        size <<= shift;
        return true;
    }

    public static bool TryParseTime(string text, out TimeSpan time)
    {
        time = default;
        int digits = text.AsSpan().LastIndexOfAnyInRange('0', '9') + 1;
        double unit = text[digits..] switch
        {
            "" or "s" => 1,
            "ms" => 0.001,
            "m" => 60,
            "h" => 3600,
            _ => 0,
        };
        if (unit == 0 || !double.TryParse(text.AsSpan(0, digits), NumberStyles.AllowDecimalPoint,
            CultureInfo.InvariantCulture, out double value))
            return false;
        if (value * unit > int.MaxValue / 1000d) return false; // what the library takes: about 24 days
        time = TimeSpan.FromSeconds(value * unit);
        return true;
    }

    public static bool TryParseMode(string text, out UnixFileMode mode)
    {
        mode = default;
        if (text.Length is 0 or > 4 || text.AsSpan().ContainsAnyExceptInRange('0', '7')) return false;
        mode = (UnixFileMode)Convert.ToInt32(text, 8);
        return true;
    }

    /// <summary>The count of a new semaphore.</summary>
    public static Argument<int> Count() => new("COUNT")
    {
        Description = "How many can acquire it at first (0 or more)",
        CustomParser = result => Parsed<int?>(result,
            text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count) ? count : null,
            $"is no count of a semaphore. Use a number from 0 to {int.MaxValue}.") ?? 0,
    };

    /// <summary>An option that takes a whole number.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="least">The least number that can be meant.</param>
    /// <param name="most">The largest one.</param>
    /// <param name="aliases">Other names.</param>
    public static Option<int?> NumberOption(string name, string description, int least, int most,
        params string[] aliases) => new(name, aliases)
    {
        HelpName = "N",
        Description = description,
        CustomParser = result => Parsed<int?>(result,
            text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                && number >= least && number <= most ? number : null,
            $"is no number from {least} to {most}."),
    };

    private static long? ParsedSize(ArgumentResult result)
        => Parsed<long?>(result, text => TryParseSize(text, out long size) ? size : null,
            "is no number of bytes. Use digits, 0x..., or a unit: 64k, 16M, 2G.");

    private static T? Parsed<T>(ArgumentResult result, Func<string, T?> parse, string complaint)
    {
        string text = result.Tokens[^1].Value;
        T? value = parse(text);
        if (value is null) result.AddError($"'{text}' {complaint}");
        return value;
    }
}
