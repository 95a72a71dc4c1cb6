using System.Reflection;

namespace NativeIpc.Testing;

/// <summary>
/// What test programs ask or set inside the library: by reflection, since it lets in few test assemblies by name
/// (InternalsVisibleTo).
/// </summary>
internal static class Internals
{
    private const BindingFlags Everything = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public
        | BindingFlags.NonPublic;

    /// <summary>Which object of the system a segment or a semaphore is.</summary>
    public static string ObjectIdentity(object opened)
        => (string)opened.GetType().GetProperty("ObjectIdentity", Everything)!.GetValue(opened)!;

    /// <summary>What happens at each point at which this process can be stopped, if the switch NativeIpc.StopPoints is
    /// on.</summary>
    public static Action<string> StopPointReached
    {
        set => Find("NativeIpc.Lifetime.StopPoint").GetProperty("Reached", Everything)!.SetValue(null, value);
    }

    /// <summary>Whether the library sees the end of the process.</summary>
    public static bool IsEnding
    {
        get => (bool)Find("NativeIpc.Lifetime.ProcessExit").GetProperty("IsEnding", Everything)!.GetValue(null)!;
        set => Find("NativeIpc.Lifetime.ProcessExit").GetField("s_isEnding", Everything)!.SetValue(null, value);
    }

    /// <summary>Device and inode of what a path leads to; empty for nothing. Unix.</summary>
    public static string FileOf(string path)
    {
        MethodInfo status = Find("NativeIpc.Interop.Unix.Libc").GetMethods(Everything).Single(method
            => method.Name == "Status" && method.GetParameters()[0].ParameterType == typeof(string));
        object?[] arguments = [path, false, null];
        if ((int)status.Invoke(null, arguments)! != 0) return "";
        object found = arguments[2]!;
        return found.GetType().GetProperty("Identity", Everything)!.GetValue(found)!.ToString()!;
    }

    /// <summary>How many pauses of the library the calling thread has made.</summary>
    public static int PausesOfThisThread
        => (int)Find("NativeIpc.Interop.Pause").GetProperty("CountOfThisThread", Everything)!.GetValue(null)!;

    /// <summary>The name of the thread that owns what lives as long as the process (Windows).</summary>
    public static string NameOfLifeThread()
        => (string)Find("NativeIpc.Windows.LifeThread").GetMethods(Everything)
            .Single(method => method is { Name: "Run", IsGenericMethodDefinition: true })
            .MakeGenericMethod(typeof(string)).Invoke(null, [() => Thread.CurrentThread.Name!])!;

    private static Type Find(string name) => typeof(SharedMemory).Assembly.GetType(name, throwOnError: true)!;
}
