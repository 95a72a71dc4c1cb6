using System.Reflection;
using Xunit;

namespace NativeIpc.Tests.Architecture;

/// <summary>
/// What runs on the library's own threads, in Dispose and at the end of the process needs no assembly that may not be
/// loaded yet: without a free descriptor it cannot be loaded, and on a thread of ours that ends the process. LINQ is
/// the one that slips in, also by a spread of what is no list.
/// </summary>
public class LateAssemblyTests
{
    private const byte Call = 0x28;
    private const byte CallVirtual = 0x6F;
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static
        | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    private static readonly string[] s_late =
    [
        "Reactor", "FileWatch", "NameWatch", "SleepWatch", "ProcessExit", "Wakeup", "LockAttendant", "SteppingAside",
        "HolderSlots", "HeldSemaphore", "MappedSemaphore", "PosixLastOut", "PosixUsers", "PosixRemoval",
        "FutexDispatcher", "RingSleep", "WaitvSleep", "WaitPoller", "WaitQueue`1", "RegisteredWait", "SegmentLock",
        "SharedMemory", "SystemSemaphore",
    ];

    [Fact]
    public void Threads_of_the_library_Dispose_and_the_end_of_the_process_use_no_LINQ()
    {
        Type[] late = [.. typeof(SharedMemory).Assembly.GetTypes()
            .Where(static type => s_late.Contains(Outermost(type).Name))];
        Assert.Equal(s_late.Order(), late.Select(static type => Outermost(type).Name).Distinct().Order());
        Assert.Empty(
            late.SelectMany(static type => type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All)))
                .Where(CallsLinq).Select(static method => $"{method.DeclaringType}.{method.Name}"));
    }

    [Fact]
    public void A_call_of_LINQ_would_be_seen()
        => Assert.True(CallsLinq(typeof(LateAssemblyTests).GetMethod(nameof(Spread), All)!));

    private static int[] Spread(LinkedList<int> numbers) => [.. numbers];

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    private static bool CallsLinq(MethodBase method)
    {
        byte[] code = method.GetMethodBody()?.GetILAsByteArray() ?? [];
        Type[]? ofType = method.DeclaringType is { IsGenericType: true } generic ? generic.GetGenericArguments() : null;
        Type[]? ofMethod = method.IsGenericMethod ? method.GetGenericArguments() : null;
        for (int i = 0; i + sizeof(int) < code.Length; i++)
        {
            if (code[i] is not (Call or CallVirtual)) continue;
            try
            {
                // Some of these bytes are no operation but a part of one; then the number mostly names nothing.
                if (method.Module.ResolveMethod(BitConverter.ToInt32(code, i + 1), ofType,
                    ofMethod)?.DeclaringType?.Namespace == "System.Linq")
                    return true;
            }
            catch (ArgumentException)
            {
            }
        }

        return false;
    }
}
