using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.Loader;

namespace NativeIpc.Victim;

/// <summary>Steps in copies of the library, each in an AssemblyLoadContext of its own that can be unloaded, as plug-ins
/// have it.</summary>
internal static class CopySteps
{
    private static readonly Dictionary<string, Copy> s_copies = [];

    /// <summary>Runs a step of this kind; null when it is of another kind.</summary>
    /// <remarks><c>copy NAME STEP</c> runs one of <see cref="IpcSteps"/> in a copy, which is made when it is first
    /// named.</remarks>
    internal static string? TryRun(string[] words) => words[0] switch
    {
        "copy" => Run(words[1], words[2..]),
        "copy-begin-unload" => BeginUnload(words[1]),
        "copy-unload" => Unload(words[1]),
        "copy-begin-unload-with" => BeginUnloadWith(words[1], words[2..]),
        "kernel-objects" => KernelObjects(),
        _ => null,
    };

    private static string Run(string name, string[] step)
    {
        if (!s_copies.TryGetValue(name, out Copy? copy)) s_copies.Add(name, copy = Load());
        return copy.Run(step);
    }

    private static string BeginUnload(string name)
    {
        s_copies[name].BeginUnload();
        return "asked";
    }

    /// <summary>A handler of the unloading is the first to use the library.</summary>
    private static string BeginUnloadWith(string name, string[] step)
    {
        Copy copy = Load();
        s_copies.Add(name, copy);
        string did = "";
        copy.Context.Unloading += _ => did = copy.Run(step);
        copy.BeginUnload();
        return did;
    }

    private static string Unload(string name)
    {
        WeakReference copy = Forget(name);
        using var watchdog = new CancellationTokenSource(Patience.Seconds(30));
        while (copy.IsAlive && !watchdog.IsCancellationRequested)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        return copy.IsAlive ? "still there" : "unloaded";
    }

    // A method of its own, whose variables keep nothing alive while its caller collects.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Forget(string name)
    {
        s_copies.Remove(name, out Copy? copy);
        copy!.BeginUnload();
        return new WeakReference(copy.Context, trackResurrection: true);
    }

    /// <summary>What the library opens for itself, and of the signals that the process handles the one that the runtime
    /// leaves alone.</summary>
    private static string KernelObjects()
    {
        IEnumerable<string> open = new DirectoryInfo("/proc/self/fd").EnumerateFileSystemInfos()
            .Select(file => file.LinkTarget ?? "")
            .Where(target => target.StartsWith("anon_inode:", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
        string caught = File.ReadLines("/proc/self/status")
            .First(line => line.StartsWith("SigCgt:", StringComparison.Ordinal));
        const int hangup = 1; // bit 0 is SIGHUP
        bool handles = (Convert.ToUInt64(caught["SigCgt:".Length..].Trim(), 16) & hangup) != 0;
        return $"{string.Join(' ', open)}{(handles ? " SIGHUP" : "")}";
    }

    private static Copy Load()
    {
        var context = new Context();
        Assembly program = context.LoadFromAssemblyName(new AssemblyName("NativeIpc.Victim"));
        return new Copy(context, Activator.CreateInstance(program.GetType(typeof(IpcSteps).FullName!)!,
            nonPublic: true)!);
    }

    /// <summary>A copy of the library, and the steps that use it.</summary>
    private sealed class Copy(AssemblyLoadContext context, object steps)
    {
        private bool _isUnloading;

        internal AssemblyLoadContext Context => context;

        internal void BeginUnload()
        {
            if (!_isUnloading) context.Unload();
            _isUnloading = true;
        }

        internal string Run(string[] step)
        {
            MethodInfo run = steps.GetType().GetMethod(nameof(IpcSteps.Run),
                BindingFlags.Instance | BindingFlags.NonPublic)!;
            try
            {
                return (string)run.Invoke(steps, [step])!;
            }
            catch (TargetInvocationException failure)
            {
                ExceptionDispatchInfo.Throw(failure.InnerException!);
                throw;
            }
        }
    }

    /// <summary>It has no field that leads to what is loaded in it, nor does a table with it as the key: .NET keeps a
    /// context itself until it is unloaded, which then never is.</summary>
    private sealed class Context() : AssemblyLoadContext(isCollectible: true)
    {
        protected override Assembly? Load(AssemblyName assemblyName)
            => assemblyName.Name is "NativeIpc" or "NativeIpc.Inspection" or "NativeIpc.Victim"
                ? LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, assemblyName.Name + ".dll")) : null;
    }
}
