using System.Reflection;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Abi;

/// <summary>What the runtime calls for a declaration of Libc: the native symbol and the parameter types behind
/// the marshalling.</summary>
/// <param name="Name">The name in C#.</param>
/// <param name="EntryPoint">The name in C.</param>
/// <param name="ReturnType">The type of the result.</param>
/// <param name="Parameters">The types of the parameters. A descriptor is an <see cref="int"/>, although SafeHandle
/// widens it to a register.</param>
internal sealed record NativeDeclaration(string Name, string EntryPoint, Type ReturnType,
    IReadOnlyList<Type> Parameters)
{
    internal static IReadOnlyList<NativeDeclaration> All { get; } =
    [
        .. typeof(Libc)
            .GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
            .Where(method => method.Attributes.HasFlag(MethodAttributes.PinvokeImpl))
            .Select(method => new NativeDeclaration(
                NameOf(method),
                method.GetCustomAttribute<DllImportAttribute>()!.EntryPoint!,
                method.ReturnType,
                [.. ParametersOf(method)])),
    ];

    internal static NativeDeclaration Of(string name) => All.Single(declaration => declaration.Name == name);

    /// <summary>The C type that is passed in the same way.</summary>
    internal static string CType(Type type) => type switch
    {
        { IsPointer: true } => "void *",
        _ when type == typeof(void) => "void",
        _ when type == typeof(int) => "int",
        _ when type == typeof(uint) => "unsigned int",
        _ when type == typeof(long) => "long long",
        _ when type == typeof(nint) => "long",
        _ when type == typeof(nuint) => "unsigned long",
        _ => throw new NotSupportedException($"No C type is known for {type}."),
    };

    private static IEnumerable<Type> ParametersOf(MethodInfo method)
    {
        ParameterInfo[] declared = typeof(Libc)
            .GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
            .Single(other => other.Name == NameOf(method)
                && (other == method || other.IsDefined(typeof(LibraryImportAttribute))))
            .GetParameters();
        return method.GetParameters().Select(
            (parameter, i) => declared[i].ParameterType == typeof(UnixDescriptor)
                ? typeof(int) : parameter.ParameterType);
    }

    // Where LibraryImport marshals, the P/Invoke is a local function of the declaration:
    // <sem_open_plain>g____PInvoke|4_0.
    private static string NameOf(MethodInfo method)
        => method.Name.StartsWith('<') ? method.Name[1..method.Name.IndexOf('>')] : method.Name;
}
