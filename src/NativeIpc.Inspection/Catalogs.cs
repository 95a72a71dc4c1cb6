using NativeIpc.Inspection.Looks;
using NativeIpc.Inspection.Posix;
using NativeIpc.Inspection.SystemV;
using NativeIpc.Inspection.Windows;

namespace NativeIpc.Inspection;

/// <summary>What lists the objects of the machine, for every type of key; those of other systems say that they do
/// not.</summary>
internal static class Catalogs
{
    public static IObjectCatalog[] All { get; } = [new PosixCatalog(), new SystemVCatalog(), new WindowsCatalog()];

    /// <summary>The one for objects with keys of a type.</summary>
    public static IObjectCatalog Of(NativeIpcKeyType type) => Array.Find(All, catalog => catalog.Handles(type))
        ?? throw new PlatformNotSupportedException("There are no such objects.");
}
