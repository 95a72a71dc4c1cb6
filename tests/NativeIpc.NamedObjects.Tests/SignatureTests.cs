using System.IO.MemoryMappedFiles;
using System.Reflection;
using Xunit;

namespace NativeIpc.NamedObjects.Tests;

/// <summary>A program moves by aliases: each public constructor, method and property of .NET's types is here, with the
/// same parameters and the same result.</summary>
public sealed class SignatureTests
{
    private static readonly Dictionary<Type, Type> s_ours = new()
    {
        [typeof(Semaphore)] = typeof(NamedSemaphore),
        [typeof(Mutex)] = typeof(NamedMutex),
        [typeof(EventWaitHandle)] = typeof(NamedEvent),
        [typeof(WaitHandle)] = typeof(NamedWaitHandle),
        [typeof(MemoryMappedFile)] = typeof(NamedMemory),
        [typeof(MemoryMappedViewAccessor)] = typeof(NamedMemoryViewAccessor),
        [typeof(MemoryMappedViewStream)] = typeof(NamedMemoryViewStream),
        [typeof(Microsoft.Win32.SafeHandles.SafeMemoryMappedViewHandle)] =
            typeof(System.Runtime.InteropServices.SafeBuffer),
    };

    public static TheoryData<Type> Types
        => [.. s_ours.Keys.Where(type => s_ours[type].Assembly == typeof(NamedMutex).Assembly)];

    [Theory]
    [MemberData(nameof(Types))]
    public void Every_member_is_here(Type theirs)
    {
        string[] missing = [.. MembersOf(theirs).Except(MembersOf(s_ours[theirs]))];
        Assert.True(missing.Length == 0, $"Missing in {s_ours[theirs].Name}: {string.Join("; ", missing)}");
    }

    private static IEnumerable<string> MembersOf(Type type)
    {
        const BindingFlags every = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static
            | BindingFlags.FlattenHierarchy;
        foreach (ConstructorInfo one in type.GetConstructors()) yield return $"new({Parameters(one)})";
        foreach (MethodInfo one in type.GetMethods(every))
        {
            if (one.DeclaringType != typeof(object) && !one.IsGenericMethod && !IsOld(one))
                yield return $"{(one.IsStatic ? "static " : "")}{Name(one.ReturnType)} {one.Name}({Parameters(one)})";
        }
    }

    private static bool IsOld(MethodInfo method) => method.GetCustomAttribute<ObsoleteAttribute>() is not null
        || method.Name is "get_Handle" or "set_Handle";

    private static string Parameters(MethodBase method)
        => string.Join(", ", method.GetParameters().Select(one => $"{Name(one.ParameterType)} {one.Name}"));

    private static string Name(Type type)
    {
        Type plain = type.IsByRef ? type.GetElementType()! : type;
        return (s_ours.GetValueOrDefault(plain) ?? plain).FullName + (type.IsByRef ? "&" : "");
    }
}
