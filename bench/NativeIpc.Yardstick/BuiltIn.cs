using System.IO.MemoryMappedFiles;

namespace NativeIpc.Yardstick;

/// <summary>
/// The nearest thing that .NET itself has, for <c>--builtin</c>: a named Mutex for a semaphore of value 1 and for the
/// lock, a file lock, and MemoryMappedFile over a file in /dev/shm with its accessor. Named semaphores .NET has on
/// Windows only.
/// </summary>
internal static class BuiltIn
{
    private const string Name = "yard_net_";
    private static long s_sink;

    public static void MutexPair(string name)
    {
        using Mutex mutex = new(false, Name + "pair");
        Harness.Print(name, Harness.Measure(Pair(mutex)));
    }

    public static void FileLock(string name)
    {
        string path = Path.Combine("/dev/shm", Name + "lock");
        using (FileStream file = new(path, FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0))
        {
            Harness.Print(name, Harness.Measure(n =>
            {
                while (n-- > 0)
                {
#pragma warning disable CA1416 // not on macOS, where this program does not run
                    file.Lock(0, 1);
                    file.Unlock(0, 1);
#pragma warning restore CA1416
                }
            }));
        }

        File.Delete(path);
    }

    public static void MutexContention(string name)
    {
        int count = int.Parse(name["contend.posix.".Length..name.IndexOf('@', StringComparison.Ordinal)]);
        Many.Run(name, [], [.. Enumerable.Repeat<string[]>(["contend-mutex", name], count)]);
    }

    public static void ContendingChild(string[] arguments)
    {
        using Mutex mutex = new(false, Name + "contended");
        Many.Child(Pair(mutex));
    }

    public static void MutexOpen(string name)
    {
        bool create = name.Contains("create", StringComparison.Ordinal);
        using Mutex? kept = create ? null : new Mutex(false, Name + "open");
        Harness.Print(name, Harness.Measure(n =>
        {
            while (n-- > 0) (create ? new Mutex(false, Name + "open") : Mutex.OpenExisting(Name + "open")).Dispose();
        }));
    }

    public static void Segment(string name)
    {
        long size = name.Contains("64m", StringComparison.Ordinal) ? Harness.Big : 4096;
        string path = Path.Combine("/dev/shm", Name + "segment");
        File.Delete(path);
        bool create = name.Contains("create", StringComparison.Ordinal), write = create
            || name.Contains("write", StringComparison.Ordinal);
        if (!create) Use(path, FileMode.CreateNew, size, write: true);
        Action<long> body = n =>
        {
            while (n-- > 0)
            {
                Use(path, create ? FileMode.CreateNew : FileMode.Open, size, write);
                if (create) File.Delete(path);
            }
        };
        Harness.Print(name, size == Harness.Big ? Harness.MeasureSlow(body) : Harness.Measure(body));
        File.Delete(path);
    }

    public static void Copy(string name)
    {
        string path = Path.Combine("/dev/shm", Name + "copy");
        File.Delete(path);
        using (MemoryMappedFile file = MemoryMappedFile.CreateFromFile(path, FileMode.CreateNew, null, Harness.Big))
        using (MemoryMappedViewAccessor view = file.CreateViewAccessor())
        {
            byte[] own = GC.AllocateUninitializedArray<byte>((int)Harness.Big, pinned: true);
            own.AsSpan().Fill(2);
            view.WriteArray(0, own, 0, own.Length);
            Action<long> body = name.StartsWith("rand", StringComparison.Ordinal)
                ? Random(view) : name.Contains("in64m", StringComparison.Ordinal) ? In(view, own) : Out(view, own);
            // Warm: optimized, the accessor is several times slower than at first
            Harness.Print(name, Harness.Measure(body, batches: 3));
        }

        File.Delete(path);
    }

    private static Action<long> Pair(Mutex mutex) => n =>
    {
        while (n-- > 0)
        {
            mutex.WaitOne();
            mutex.ReleaseMutex();
        }
    };

    private static Action<long> In(MemoryMappedViewAccessor view, byte[] own) => n =>
    {
        while (n-- > 0) view.WriteArray(0, own, 0, own.Length);
    };

    private static Action<long> Out(MemoryMappedViewAccessor view, byte[] own) => n =>
    {
        while (n-- > 0) view.ReadArray(0, own, 0, own.Length);
    };

    private static Action<long> Random(MemoryMappedViewAccessor view) => n =>
    {
        ulong x = 88172645463325252;
        long sum = 0;
        while (n-- > 0)
        {
            x = Copies.Next(x);
            sum += view.ReadInt64((long)(x & ((Harness.Big / 8) - 1)) * 8);
        }

        s_sink = sum;
    };

    private static unsafe void Use(string path, FileMode mode, long size, bool write)
    {
        using MemoryMappedFile file = MemoryMappedFile.CreateFromFile(path, mode, null,
            mode == FileMode.Open ? 0 : size);
        using MemoryMappedViewAccessor view = file.CreateViewAccessor();
        if (size != Harness.Big) return;
        byte* bytes = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref bytes);
        if (write) Segments.Write(new Span<byte>(bytes, (int)size));
        else s_sink = Segments.Read(new ReadOnlySpan<byte>(bytes, (int)size));
        view.SafeMemoryMappedViewHandle.ReleasePointer();
    }
}
