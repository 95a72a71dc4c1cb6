using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace NativeIpc.Analyzers;

/// <summary>The types of the library, by name.</summary>
internal static class Known
{
    public static bool IsSharedMemory(ITypeSymbol? type) => IsNamed(type, "SharedMemory");

    /// <summary>Whether its members take locks and permits, and give scopes for them.</summary>
    public static bool TakesScopes(ITypeSymbol? type) => IsSharedMemory(type) || IsNamed(type, "SystemSemaphore");

    public static bool IsKey(ITypeSymbol? type) => IsNamed(type, "NativeIpcKey");

    /// <summary>Whether it ends what was taken when it is disposed: of a lock or of a semaphore.</summary>
    public static bool IsScope(ITypeSymbol? type)
        => IsNamed(type, "SharedMemoryLock") || IsNamed(type, "SystemSemaphorePermit");

    /// <summary>An operation without the conversions around it.</summary>
    public static IOperation? Bare(IOperation? operation)
    {
        while (operation is IConversionOperation conversion) operation = conversion.Operand;
        return operation is IParenthesizedOperation inner ? Bare(inner.Operand) : operation;
    }

    private static bool IsNamed(ITypeSymbol? type, string name)
        => type is { ContainingType: null, ContainingNamespace: { Name: "NativeIpc" } space }
            && space.ContainingNamespace.IsGlobalNamespace && type.Name == name;
}
