using System.Text;

namespace NativeIpc.Layouts;

/// <summary>Names of fields and values as C, Python and Rust write them.</summary>
internal static class SnakeCase
{
    /// <summary><c>FrameRate</c> becomes <c>frame_rate</c>, <c>RGBMode</c> becomes <c>rgb_mode</c>.</summary>
    public static string Of(string name)
    {
        var text = new StringBuilder();
        for (int i = 0; i < name.Length; i++)
        {
            char c = name[i];
            bool begins = IsUpper(c) && i > 0 && name[i - 1] != '_'
                && (!IsUpper(name[i - 1]) || (i + 1 < name.Length && IsLower(name[i + 1])));
            if (begins) text.Append('_');
            text.Append(IsUpper(c) ? (char)(c | 0x20) : c);
        }

        return text.ToString();
    }

    /// <summary><c>FrameRate</c> becomes <c>FRAME_RATE</c>.</summary>
    public static string Upper(string name) => Of(name).ToUpperInvariant();

    private static bool IsUpper(char c) => c is >= 'A' and <= 'Z';

    private static bool IsLower(char c) => c is >= 'a' and <= 'z';
}
