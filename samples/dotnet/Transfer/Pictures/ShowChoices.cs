namespace Transfer.Pictures;

/// <summary>What the command line asks for beside the copies.</summary>
/// <param name="IsShown">Whether the picture moves.</param>
/// <param name="AreCopied">Whether the file is copied behind that.</param>
/// <param name="Frames">The file whose pictures are drawn; null for a simulation.</param>
/// <param name="InWindow">In a window of Qt instead of the terminal.</param>
internal sealed record ShowChoices(bool IsShown, bool AreCopied, string? Frames, bool InWindow)
{
    /// <summary>Takes its options from the arguments, and leaves those of the copies.</summary>
    public static ShowChoices Take(ref string[] args)
    {
        var choices = new ShowChoices(true, true, null, false);
        List<string> left = [];
        for (int i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--":
                    left.AddRange(args[i..]);
                    i = args.Length;
                    break;
                case "--window": choices = choices with { InWindow = true }; break;
                case "--frames" when i + 1 < args.Length:
                    if (!File.Exists(args[++i])) throw new UsageException($"There is no such file: {args[i]}");
                    choices = choices with { Frames = args[i] };
                    break;
                case "--only" when i + 1 < args.Length:
                    if (args[++i] is not ("picture" or "copies"))
                        throw new UsageException("--only is picture or copies. See --help.");
                    choices = choices with { IsShown = args[i] == "picture", AreCopied = args[i] == "copies" };
                    break;
                case "--frames" or "--only": throw new UsageException($"{args[i]} needs a value. See --help.");
                default: left.Add(args[i]); break;
            }
        }

        args = [.. left];
        return choices;
    }
}
