using NativeIpc.Layouts;
using NativeIpc.Layouts.Writing;

// Writes the declarations of an assembly's layouts: ASSEMBLY FOLDER NAME LANGUAGE... into FOLDER/NAME.layout and a file
// for each language; the first one has all of them. An error is a line as MSBuild reads it.
if (args.Length < 3)
{
    Console.Error.WriteLine("NativeIpc.Channels.Writer : error NIPC120: Arguments: ASSEMBLY FOLDER NAME LANGUAGE...");
    return 2;
}

try
{
    LayoutSet types = LayoutFile.Find(File.ReadAllBytes(args[0]), out string? clash);
    if (clash is not null)
    {
        Console.Error.WriteLine($"{args[0]} : error NIPC121: Two layouts have the name {clash}. Give one of them "
            + "another one: [SharedLayout(Name = \"...\")].");
        return 1;
    }

    // Without layouts there is nothing to write: the package may be there for other things.
    if (types.Types.Count == 0) return 0;
    Directory.CreateDirectory(args[1]);
    string all = LayoutText.Format(types);
    foreach (string language in args.AsSpan(3))
    {
        int index = Array.FindIndex(DeclarationWriter.s_languages, each => each.Key == language);
        if (index < 0)
        {
            Console.Error.WriteLine($"{args[0]} : error NIPC122: There is no language '{language}'; there are "
                + $"{string.Join(", ", DeclarationWriter.s_languages.Select(each => each.Key))}.");
            return 1;
        }

        string text = DeclarationWriter.Write(language, types, args[2]);
        Write(DeclarationWriter.s_languages[index].Value, text);
        all += Declarations.Heading(language) + text;
    }

    Write("layout", all);
    return 0;
}
catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"{args[0]} : error NIPC123: {failure.Message}");
    return 1;
}

// What has not changed keeps its time, so that nothing that is made from it is made anew.
void Write(string end, string text)
{
    string file = Path.Combine(args[1], $"{args[2]}.{end}");
    if (!File.Exists(file) || File.ReadAllText(file) != text) File.WriteAllText(file, text);
}
