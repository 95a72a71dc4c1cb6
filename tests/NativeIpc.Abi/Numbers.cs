using System.Globalization;
using System.Reflection;

namespace NativeIpc.Abi;

/// <summary>The numbers of a C# table, by reflection, so that a number added later is seen without a change
/// here.</summary>
internal static class Numbers
{
    /// <summary>All constants and static fields a type declares itself.</summary>
    internal static IReadOnlyDictionary<string, long> Of(Type table)
    {
        var numbers = table
            .GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
            .ToDictionary(field => field.Name,
                field => Convert.ToInt64(field.GetValue(null), CultureInfo.InvariantCulture));
        return numbers.Count > 0 ? numbers
            : throw new InvalidOperationException($"{table} has no numbers: has it become a mere heir?");
    }
}
