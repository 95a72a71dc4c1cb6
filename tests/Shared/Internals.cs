using System.Runtime.CompilerServices;

namespace NativeIpc.Testing;

/// <summary>
/// What test programs ask or set inside the library, which lets in few test assemblies by name (InternalsVisibleTo).
/// By accessors, which work in native files, too.
/// </summary>
internal static class Internals
{
    private const string StopPoint = "NativeIpc.Lifetime.StopPoint, NativeIpc";
    private const string ProcessExit = "NativeIpc.Lifetime.ProcessExit, NativeIpc";
    private const string Pause = "NativeIpc.Interop.Pause, NativeIpc";
    private const string LifeThread = "NativeIpc.Windows.LifeThread, NativeIpc";

    /// <summary>What happens at each point at which this process can be stopped, if the switch NativeIpc.StopPoints is
    /// on.</summary>
    public static Action<string> StopPointReached
    {
        set => SetReached(null, value);
    }

    /// <summary>Whether the library sees the end of the process.</summary>
    public static bool IsEnding => GetIsEnding(null);

    /// <summary>How many pauses of the library the calling thread has made.</summary>
    public static int PausesOfThisThread => GetPauses(null);

    /// <summary>The name of the thread that owns what lives as long as the process (Windows).</summary>
    public static string NameOfLifeThread() => RunOnLifeThread(null, () => Thread.CurrentThread.Name!);

    /// <summary>Which object of the system a segment is.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_ObjectIdentity")]
    public static extern string ObjectIdentity(SharedMemory segment);

    /// <summary>Which object of the system a semaphore is.</summary>
    [UnsafeAccessor(UnsafeAccessorKind.Method, Name = "get_ObjectIdentity")]
    public static extern string ObjectIdentity(SystemSemaphore semaphore);

    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "set_Reached")]
    private static extern void SetReached([UnsafeAccessorType(StopPoint)] object? type, Action<string>? reached);

    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "get_IsEnding")]
    private static extern bool GetIsEnding([UnsafeAccessorType(ProcessExit)] object? type);

    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "get_CountOfThisThread")]
    private static extern int GetPauses([UnsafeAccessorType(Pause)] object? type);

    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "Run")]
    private static extern T RunOnLifeThread<T>([UnsafeAccessorType(LifeThread)] object? type, Func<T> work);
}
