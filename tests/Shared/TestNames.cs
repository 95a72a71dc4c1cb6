using System.Globalization;

namespace NativeIpc.Testing;

/// <summary>
/// Names that no other process uses, of process id and counter and short enough for Apple (30 bytes), and their removal
/// after the test, whatever has become of it.
/// </summary>
internal sealed class TestNames : IDisposable
{
    private static readonly string s_prefix = $"ni{Base36(Environment.ProcessId)}.";
    private static int s_counter;

    private readonly List<NativeIpcKey> _keys = [];
    private readonly List<string> _paths = [];

    /// <summary>What every name of this process starts with.</summary>
    internal static string Prefix => s_prefix;

    /// <summary>The folder of this process's key files, without links in its path.</summary>
    internal static string Folder { get; } =
        Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), s_prefix + "keys")).FullName;

    internal static string NextName() => s_prefix + Base36(Interlocked.Increment(ref s_counter));

    /// <summary>A key that nobody has used, of any type.</summary>
    internal NativeIpcKey Next(NativeIpcKeyType type) => Track(new NativeIpcKey(type switch
    {
        NativeIpcKeyType.PosixRealtime => "/" + NextName(),
        NativeIpcKeyType.Windows => NextName(),
        _ => Path.Combine(Folder, NextName()),
    }, type));

    /// <summary>Removes a key of the test's own making, too.</summary>
    internal NativeIpcKey Track(in NativeIpcKey key)
    {
        _keys.Add(key);
        return key;
    }

    /// <summary>Deletes a file or folder after the test.</summary>
    internal string TrackPath(string path)
    {
        _paths.Add(path);
        return path;
    }

    public void Dispose()
    {
        foreach (NativeIpcKey key in OperatingSystem.IsWindows() ? [] : _keys)
        {
            if (key.IsEmpty || key.NativeKey.Contains('\0')) continue;
            if (SharedMemory.IsKeyTypeSupported(key.Type)) Try(() => SharedMemory.Remove(key));
            if (SystemSemaphore.IsKeyTypeSupported(key.Type)) Try(() => SystemSemaphore.Remove(key));
            if (SystemEvent.IsKeyTypeSupported(key.Type)) Try(() => SystemEvent.Remove(key));
            if (key.Type.IsSystemV) _paths.AddRange(key.NativeKey, key.NativeKey + ".nativeipc-event");
            string name = key.NativeKey.TrimStart('/');
            if (key.Type == NativeIpcKeyType.PosixRealtime && name.Length > 0)
                _paths.AddRange($"/dev/shm/{name}", $"/dev/shm/sem.{name}", $"/dev/shm/nativeipc-event.{name}");
        }

        foreach (string path in _paths)
        {
            if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
            else if (Path.Exists(path) || new FileInfo(path).LinkTarget is not null) File.Delete(path);
        }
    }

    private static void Try(Func<bool> remove)
    {
        try
        {
            remove();
        }
        catch (NativeIpcException)
        {
            // A key that a test has spoilt; the last check of the run says what is left.
        }
    }

    private static string Base36(int number)
    {
        const string Digits = "0123456789abcdefghijklmnopqrstuvwxyz";
        string text = "";
        for (; number > 0; number /= 36) text = Digits[number % 36].ToString(CultureInfo.InvariantCulture) + text;
        return text;
    }
}
