using System.Globalization;

namespace NativeIpc.Peer;

internal static class KeyCommands
{
    public static string Run(Words words)
    {
        switch (words.Next())
        {
            case "parse":
                NativeIpcKey key = words.NextKey();
                return string.Create(CultureInfo.InvariantCulture,
                    $"ok {(int)key.Type} {Words.Quote(key.NativeKey)} {Words.Quote(key.LegacyKey)}").TrimEnd();
            case var other:
                throw new FormatException($"No such command: key {other}.");
        }
    }
}
