using System.Globalization;

namespace NativeIpc.Layouts;

/// <summary>
/// The number by which two programs see that they have the same layout: FNV-1a of 64 bits over the size, the
/// alignment, and the name, type and offset of each field. An enum counts as its integer, a struct as its own
/// fingerprint; names of types, and names and values of enums, do not count: they change no byte.
/// </summary>
internal static class Fingerprints
{
    private const ulong Basis = 14695981039346656037;

    /// <summary>The number of any text.</summary>
    public static ulong Of(string text)
    {
        ulong hash = Basis;
        Add(ref hash, text);
        return hash;
    }

    public static ulong Of(LayoutStruct layout, LayoutSet types)
    {
        ulong hash = Basis;
        Add(ref hash, Number(layout.Size) + " " + Number(layout.Alignment) + "\n");
        foreach (LayoutField field in layout.Fields)
        {
            string type = types.Find(field.Type) switch
            {
                LayoutEnum list => list.Underlying,
                LayoutStruct other => other.Fingerprint.ToString("x16", CultureInfo.InvariantCulture),
                _ => field.Type,
            };
            Add(ref hash, field.Name + " " + type);
            foreach (int count in field.Counts) Add(ref hash, "[" + Number(count) + "]");
            Add(ref hash, " " + Number(field.Offset) + "\n");
        }

        return hash;
    }

    private static void Add(ref ulong hash, string text)
    {
        foreach (char c in text) hash = unchecked((hash ^ c) * 1099511628211);
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
