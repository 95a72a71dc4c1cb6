using System.Globalization;
using System.Text;

namespace NativeIpc.Layouts.Writing;

/// <summary>Writes the declarations of a description in one language.</summary>
internal abstract class DeclarationWriter
{
    protected const string Note = "Written by NativeIpc from the layouts of a .NET assembly. Do not change it by hand.";

    private readonly StringBuilder _text = new();
    private readonly LayoutSet _given;

    protected DeclarationWriter(LayoutSet types, string name) => (_given, Name) = (types, name);

    /// <summary>The languages, and the ends of their files.</summary>
    public static readonly KeyValuePair<string, string>[] s_languages =
        [new("c", "h"), new("cpp", "hpp"), new("python", "py"), new("rust", "rs")];

    /// <summary>The types, named as the language can.</summary>
    protected LayoutSet Types => field ??= Renamed();

    /// <summary>A name for what is one of each file: a namespace, a guard.</summary>
    protected string Name { get; }

    /// <summary>Words that nothing can have as its name, between spaces.</summary>
    protected abstract string Reserved { get; }

    /// <summary>Further ones that a type cannot have, since the declarations use them.</summary>
    protected abstract string ReservedTypes { get; }

    /// <summary>The declarations of all types.</summary>
    /// <param name="language"><c>c</c>, <c>cpp</c>, <c>python</c> or <c>rust</c>.</param>
    /// <param name="types">The types.</param>
    /// <param name="source">The name of the assembly or file, of which the name of a namespace is made.</param>
    public static string Write(string language, LayoutSet types, string source)
    {
        var name = new StringBuilder();
        foreach (char c in SnakeCase.Of(source)) name.Append(c is (>= 'a' and <= 'z') or (>= '0' and <= '9') ? c : '_');
        if (name.Length == 0 || name[0] is >= '0' and <= '9') name.Insert(0, "layouts_");
        DeclarationWriter writer = language switch
        {
            "c" => new CWriter(types, name.ToString()),
            "cpp" => new CppWriter(types, name.ToString()),
            "python" => new PythonWriter(types, name.ToString()),
            _ => new RustWriter(types, name.ToString()),
        };
        writer.Begin();
        foreach (LayoutType type in writer.Types.Types)
        {
            if (type is LayoutEnum list) writer.Add(list);
            else writer.Add((LayoutStruct)type);
        }

        writer.End();
        return writer._text.ToString();
    }

    /// <summary>The declarations in all languages, each behind its heading, behind an end of line.</summary>
    /// <inheritdoc cref="Write(string, LayoutSet, string)" path="/param[@name != 'language']"/>
    public static string WriteAll(LayoutSet types, string source)
    {
        var all = new StringBuilder("\n");
        foreach (KeyValuePair<string, string> language in s_languages)
            all.Append(Declarations.Heading(language.Key)).Append(Write(language.Key, types, source));
        return all.ToString();
    }

    protected abstract void Begin();

    protected abstract void Add(LayoutEnum list);

    protected abstract void Add(LayoutStruct layout);

    protected abstract void End();

    protected void Line(string line = "") => _text.Append(line).Append('\n');

    /// <summary>A field's name as the language writes it.</summary>
    protected string NameOf(LayoutField field) => Escaped(SnakeCase.Of(field.Name), Reserved);

    /// <summary>A name with an underscore behind it if it is one of some words.</summary>
    protected static string Escaped(string name, string words)
        => words.Contains($" {name} ", System.StringComparison.Ordinal) ? name + "_" : name;

    private LayoutSet Renamed()
    {
        var set = new LayoutSet();
        foreach (LayoutType type in _given.Types)
        {
            string name = NameOf(type.Name);
            if (type is LayoutEnum list)
            {
                var named = new LayoutEnum(name, list.Underlying, list.IsFlags);
                named.Values.AddRange(list.Values);
                set.Types.Add(named);
                continue;
            }

            var given = (LayoutStruct)type;
            var layout = new LayoutStruct(name, given.Size, given.Alignment, given.Version)
                { Fingerprint = given.Fingerprint };
            foreach (LayoutField field in given.Fields)
            {
                layout.Fields.Add(new LayoutField(field.Name, NameOf(field.Type), field.Counts, field.Offset,
                    field.IsAtomic));
            }

            set.Types.Add(layout);
        }

        return set;
    }

    // Scalars and texts are none of the reserved words.
    private string NameOf(string type) => Escaped(type, Reserved + ReservedTypes);

    protected static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    protected static string Hex(ulong number) => "0x" + number.ToString("x16", CultureInfo.InvariantCulture);
}
