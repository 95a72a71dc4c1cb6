using System.Collections.Concurrent;

namespace NativeIpc.Tool.Live;

/// <summary>The keys that are pressed on the terminal, read by a thread of its own, which ends with the
/// process.</summary>
/// <remarks>Between two reads .NET gives the terminal back as it was: it echoes no key that is pressed while the thread
/// waits in a read, which is nearly always.</remarks>
internal sealed class Keyboard : IDisposable
{
    private readonly ConcurrentQueue<ConsoleKeyInfo> _keys = new();
    private readonly AutoResetEvent _pressed = new(false);

    private Keyboard()
    {
    }

    /// <summary>Set when a key was pressed.</summary>
    public WaitHandle Pressed => _pressed;

    /// <summary>Begins to read; null where standard input is no terminal.</summary>
    public static Keyboard? TryOpen()
    {
        if (Console.IsInputRedirected) return null;
        Interruption.ReadsKeys = true;
        var keyboard = new Keyboard();
        new Thread(keyboard.Read) { IsBackground = true, Name = "nipc keyboard" }.Start();
        return keyboard;
    }

    public bool TryTake(out ConsoleKeyInfo key) => _keys.TryDequeue(out key);

    /// <summary>The thread goes on until the process ends: nothing wakes it from its read.</summary>
    public void Dispose() => _keys.Clear();

    private void Read()
    {
        try
        {
            while (true)
            {
                _keys.Enqueue(Console.ReadKey(intercept: true));
                _pressed.Set();
            }
        }
        catch (Exception failure) when (failure is InvalidOperationException or IOException)
        {
            // The terminal is gone: the view goes on without keys, and SIGHUP ends it.
        }
    }
}
