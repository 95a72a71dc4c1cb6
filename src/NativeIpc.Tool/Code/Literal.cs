using System.Globalization;
using System.Text;

namespace NativeIpc.Tool.Code;

/// <summary>Text as a literal of another language, whatever it holds.</summary>
internal static class Literal
{
    /// <summary>C and C++: the bytes of UTF-8; what is not plain ASCII in octal, which ends after three digits whatever
    /// follows.</summary>
    public static string C(string text)
    {
        var literal = new StringBuilder("\"");
        foreach (byte unit in Encoding.UTF8.GetBytes(text))
        {
            if (unit is >= 0x20 and < 0x7f and not (byte)'"' and not (byte)'\\' and not (byte)'?')
                literal.Append((char)unit);
            else literal.Append('\\').Append(Convert.ToString(unit, 8).PadLeft(3, '0'));
        }

        return literal.Append('"').ToString();
    }

    /// <summary>C on Windows: UTF-16 units. A hexadecimal escape would swallow digits after it, so the literal is split
    /// there.</summary>
    public static string WideC(string text)
    {
        var literal = new StringBuilder("L\"");
        foreach (char unit in text)
        {
            if (unit is >= ' ' and < '\x7f' and not '"' and not '\\' and not '?') literal.Append(unit);
            else literal.Append(CultureInfo.InvariantCulture, $"\\x{(int)unit:x4}\" L\"");
        }

        return literal.Append('"').ToString();
    }

    /// <summary>C# and Python have these escapes in common.</summary>
    public static string Escaped(string text)
    {
        var literal = new StringBuilder("\"");
        foreach (char unit in text)
        {
            if (unit is >= ' ' and < '\x7f' and not '"' and not '\\') literal.Append(unit);
            else if (!char.IsSurrogate(unit)) literal.Append(CultureInfo.InvariantCulture, $"\\u{(int)unit:x4}");
            else literal.Append(unit); // in pairs: written as they are
        }

        return literal.Append('"').ToString();
    }
}
