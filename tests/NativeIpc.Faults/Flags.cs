using System.Reflection;
using System.Runtime.CompilerServices;

namespace NativeIpc.Faults;

/// <summary>What the library notes for the life of the process when the system shows that it lacks something.</summary>
/// <remarks>
/// A failure that was made must not be taken for such a lack in the cases that come after it. These notes are volatile
/// fields of type bool or int: static ones, or those of a static object that has nothing else. State of another kind,
/// which putting back would break, is read and written by <see cref="Volatile"/>.
/// </remarks>
internal static class Flags
{
    private const BindingFlags Static = BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private static readonly List<(FieldInfo Field, object? Owner, object? Value)> s_flags = Find();

    /// <summary>Puts them back to what they were at the first call.</summary>
    public static void Restore()
    {
        foreach ((FieldInfo field, object? owner, object? value) in s_flags) field.SetValue(owner, value);
    }

    private static List<(FieldInfo Field, object? Owner, object? Value)> Find()
    {
        List<(FieldInfo, object?, object?)> found = [];
        Assembly library = typeof(SharedMemory).Assembly;
        foreach (Type type in library.GetTypes())
        {
            if (type.ContainsGenericParameters) continue;
            foreach (FieldInfo field in type.GetFields(Static))
            {
                if (IsNote(field)) found.Add((field, null, field.GetValue(null)));
                if (field.FieldType.Assembly != library || !field.FieldType.IsClass) continue;
                FieldInfo[] parts = field.FieldType.GetFields(Instance);
                if (parts.Length == 0 || !Array.TrueForAll(parts, IsNote)) continue;
                object? owner = field.GetValue(null);
                foreach (FieldInfo part in parts) found.Add((part, owner, part.GetValue(owner)));
            }
        }

        return found;
    }

    private static bool IsNote(FieldInfo field)
        => (field.FieldType == typeof(bool) || field.FieldType == typeof(int))
            && Array.IndexOf(field.GetRequiredCustomModifiers(), typeof(IsVolatile)) >= 0;
}
