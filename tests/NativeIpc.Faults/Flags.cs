using System.Reflection;
using System.Runtime.CompilerServices;

namespace NativeIpc.Faults;

/// <summary>What the library notes for the life of the process when the system shows that it lacks something.</summary>
/// <remarks>A failure that was made must not be taken for such a lack in the cases that come after it. These notes are volatile static fields of type bool.</remarks>
internal static class Flags
{
    private static readonly List<(FieldInfo Field, object? Value)> s_flags = Find();

    /// <summary>Puts them back to what they were at the first call.</summary>
    public static void Restore()
    {
        foreach ((FieldInfo field, object? value) in s_flags) field.SetValue(null, value);
    }

    private static List<(FieldInfo Field, object? Value)> Find()
    {
        List<(FieldInfo, object?)> found = [];
        foreach (Type type in typeof(SharedMemory).Assembly.GetTypes())
        {
            if (type.ContainsGenericParameters) continue;
            foreach (FieldInfo field in type.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                if (field.FieldType == typeof(bool) && Array.IndexOf(field.GetRequiredCustomModifiers(), typeof(IsVolatile)) >= 0)
                    found.Add((field, field.GetValue(null)));
            }
        }

        return found;
    }
}
