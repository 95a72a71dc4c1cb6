using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using NativeIpc;
using NativeIpc.Aot;

// Published with native AOT: uses every part of the library that could need what trimming takes away. Prints "ok NAME"
// per part and ends with 1 at the first failure. "leave SEGMENT SEMAPHORE [signal]" is its second process, which makes
// both and ends without Dispose; "cancel SEGMENT SEMAPHORE" is one that has a handler of its own, gets SIGTERM, goes on
// with both and then ends without Dispose.
if (args is ["cancel", string keptSegment, string keptSemaphore])
{
    var handled = new TaskCompletionSource<Thread>(TaskCreationOptions.RunContinuationsAsynchronously);
    using var registration = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
    {
        context.Cancel = true;
        handled.TrySetResult(Thread.CurrentThread);
    });
    var segment = SharedMemory.CreateNew(NativeIpcKey.Parse(keptSegment), 4096);
    var semaphore = SystemSemaphore.CreateNew(NativeIpcKey.Parse(keptSemaphore), 1);
    SendTerm(Environment.ProcessId);
    // The runtime's thread for the handlers of this signal, which ends after the last of them
    handled.Task.Result.Join();
    segment.Span[4095] = 42;
    using (var again = SharedMemory.OpenExisting(segment.Key)) Expect(again.Span[4095], (byte)42);
    using (var again = SystemSemaphore.OpenExisting(semaphore.Key)) Expect(again.TryAcquire(), true);
    GC.KeepAlive(segment);
    GC.KeepAlive(semaphore);
    Console.WriteLine("kept");
    return 0;
}

if (args is ["leave", string leftSegment, string leftSemaphore, ..])
{
    SharedMemory.CreateNew(NativeIpcKey.Parse(leftSegment), 4096);
    SystemSemaphore.CreateNew(NativeIpcKey.Parse(leftSemaphore), 1);
    Console.WriteLine("made");
    if (args.Length > 3) Console.In.ReadToEnd(); // until a signal ends the process
    return 0;
}

string unique = $"aot-{Environment.ProcessId:x}-";
int count = 0;

try
{
    Step("key text", () =>
    {
        var key = new NativeIpcKey("/a b%?#", NativeIpcKeyType.PosixRealtime);
        Expect(key.ToString(), "posix:/a b%25%3F%23");
        Expect(NativeIpcKey.Parse(key.ToString()), key);
        Expect(NativeIpcKey.Parse("systemv-7:/x?legacyKey=n").LegacyKey, "n");
        Expect(NativeIpcKey.TryParse("mailto:x", out _), false);
        Expect($"{key:G}", key.ToString());
        FormatException refused = Throws<FormatException>(() => NativeIpcKey.Parse("systemv-300:/x"));
        Expect(refused.Message.Contains("300", StringComparison.Ordinal), true);
    });

    Step("JSON", () =>
    {
        var document = new Document(NativeIpcKey.Parse("posix:/json"), new() { [NativeIpcKey.Parse("windows:x")] = 1 });
        string text = JsonSerializer.Serialize(document, DocumentContext.Default.Document);
        Expect(text, """{"Key":"posix:/json","Counts":{"windows:x":1}}""");
        Document back = JsonSerializer.Deserialize(text, DocumentContext.Default.Document)!;
        Expect(back.Key, document.Key);
        Expect(back.Counts[NativeIpcKey.Parse("windows:x")], 1);
        Throws<JsonException>(
            () => JsonSerializer.Deserialize("""{"Key":"nonsense"}""", DocumentContext.Default.Document));
    });

    Step("type converter", () =>
    {
        TypeDescriptor.RegisterType<NativeIpcKey>(); // the way of trimmed programs
        TypeConverter converter = TypeDescriptor.GetConverterFromRegisteredType(typeof(NativeIpcKey));
        Expect(converter.ConvertFromInvariantString("posix:/c"), NativeIpcKey.Parse("posix:/c"));
        Expect(converter.ConvertToInvariantString(NativeIpcKey.Parse("posix:/c")), "posix:/c");
    });

    NativeIpcKeyType[] types = OperatingSystem.IsWindows()
        ? [NativeIpcKeyType.Windows]
        : [NativeIpcKeyType.PosixRealtime, NativeIpcKeyType.SystemV, NativeIpcKeyType.FromProjectId('T')];
    foreach (NativeIpcKeyType type in types)
    {
        string name = new NativeIpcKey("", type).ToString().TrimEnd(':');
        if (!SharedMemory.IsKeyTypeSupported(type) || !SystemSemaphore.IsKeyTypeSupported(type))
        {
            Console.WriteLine($"skip {name}: not supported on this system");
            continue;
        }

        Step($"{name}: segment", () => UseSegment(SegmentKey(type)));
        Step($"{name}: lock", () => UseLock(SegmentKey(type)));
        Step($"{name}: semaphore", () => UseSemaphore(SemaphoreKey(type)));
        Step($"{name}: errors", () => SeeErrors(SegmentKey(type), SemaphoreKey(type)));
        Step($"{name}: exit without Dispose", () => LeaveBehind(SegmentKey(type), SemaphoreKey(type), signal: false));
        if (OperatingSystem.IsWindows()) continue;
        Step($"{name}: SIGTERM without Dispose", () => LeaveBehind(SegmentKey(type), SemaphoreKey(type), signal: true));
        Step($"{name}: SIGTERM that the program cancels",
            () => KeepInSpiteOfSignal(SegmentKey(type), SemaphoreKey(type)));
    }
}
catch (Exception failure)
{
    Console.WriteLine($"FAILED {failure}");
    return 1;
}

Console.WriteLine("all ok");
return 0;

void Step(string name, Action test)
{
    try
    {
        test();
    }
    catch (Exception failure)
    {
        throw new InvalidOperationException(name, failure);
    }

    Console.WriteLine($"ok {name}");
}

NativeIpcKey SegmentKey(NativeIpcKeyType type) => SharedMemory.PlatformSafeKey($"{unique}{++count}", type);

NativeIpcKey SemaphoreKey(NativeIpcKeyType type) => SystemSemaphore.PlatformSafeKey($"{unique}{++count}", type);

static void UseSegment(NativeIpcKey key)
{
    using var made = SharedMemory.CreateNew(key, 8192,
        new SharedMemoryOptions { Allocation = SharedMemoryAllocation.Populate });
    using var opened = SharedMemory.OpenExisting(key, SharedMemoryAccess.Read);
    made.Span[8191] = 42;
    made.GetReference<long>(8) = 1234567890123;
    Expect(opened.ReadOnlySpan[8191], (byte)42);
    Expect(opened.GetReadOnlyReference<long>(8), 1234567890123);

    using (Stream stream = made.OpenStream())
    using (var writer = new StreamWriter(stream)) writer.Write("through a stream");
    using (Stream stream = opened.OpenStream())
    using (var reader = new BinaryReader(stream)) Expect(new string(reader.ReadChars(16)), "through a stream");

    using (SharedMemoryAccessScope scope = opened.BeginAccess()) Expect(scope.GetReadOnlySpan(8191, 1)[0], (byte)42);
    Expect(opened.ReadOnlyMemory.Span[0], (byte)'t');
    using (System.Buffers.MemoryHandle pinned = opened.ReadOnlyMemory.Pin())
        Expect(pinned.Equals(default(System.Buffers.MemoryHandle)), false);
    Throws<InvalidOperationException>(() => opened.Span[0] = 1);
}

static void UseLock(NativeIpcKey key)
{
    using var made = SharedMemory.CreateNew(key, 100);
    using var opened = SharedMemory.OpenExisting(key);
    using (SharedMemoryLock held = made.Lock())
    {
        Expect(opened.TryLock(out _), false);
        long started = Stopwatch.GetTimestamp();
        Expect(opened.TryLock(TimeSpan.FromMilliseconds(60), out _), false);
        Expect(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(60), true);
        Expect(held.WasReplaced, false);

        // A waiter in another thread gets it when the scope ends, after what was written inside the scope.
        using var waiting = new ManualResetEventSlim();
        var waiter = new Thread(() =>
        {
            waiting.Set();
            using (opened.Lock()) opened.Span[1] = (byte)(opened.Span[0] + 1);
        });
        waiter.Start();
        waiting.Wait();
        made.Span[0] = 1;
        held.Dispose();
        waiter.Join();
        Expect(made.Span[1], (byte)2);
    }

    // The thread that watches the lock's name (Linux): a lock that a peer removes is noticed, and all meet at the new
    // one.
    if (OperatingSystem.IsLinux() && key.Type == NativeIpcKeyType.PosixRealtime)
    {
        SystemSemaphore.Remove(key);
        bool replaced = SpinWait.SpinUntil(
            () =>
            {
                using SharedMemoryLock again = made.Lock();
                return again.WasReplaced;
            },
            TimeSpan.FromSeconds(10));
        Expect(replaced, true);
    }
}

static void UseSemaphore(NativeIpcKey key)
{
    using var made = SystemSemaphore.CreateOrReset(key, 1,
        new SystemSemaphoreOptions { Undo = SystemVUndoPolicy.None });
    using var opened = SystemSemaphore.OpenExisting(key);
    opened.Acquire();
    Expect(opened.TryAcquire(), false);
    long started = Stopwatch.GetTimestamp();
    Expect(opened.TryAcquire(TimeSpan.FromMilliseconds(60)), false);
    Expect(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(60), true);
    using var cancellation = new CancellationTokenSource(TimeSpan.FromMilliseconds(60));
    Throws<OperationCanceledException>(() => opened.Acquire(cancellation.Token));
    made.Release(2);
    Expect(opened.TryAcquire(TimeSpan.FromSeconds(10)), true);
    opened.Acquire();

    using var disposing = SystemSemaphore.OpenExisting(key);
    Exception? seen = null;
    var waiter = new Thread(() => seen = Record(() => disposing.Acquire()));
    waiter.Start();
    disposing.Dispose();
    waiter.Join();
    Expect(seen is ObjectDisposedException, true);
}

static void SeeErrors(NativeIpcKey segmentKey, NativeIpcKey semaphoreKey)
{
    NativeIpcException missing = Throws<NativeIpcException>(() => SharedMemory.OpenExisting(segmentKey).Dispose());
    Expect(missing.Error, NativeIpcError.NotFound);
    Expect(missing.Key, segmentKey);
    Expect(missing.Message.Contains(segmentKey.ToString(), StringComparison.Ordinal), true);
    Expect(SystemSemaphore.TryOpenExisting(semaphoreKey, out _), false);
    using var segment = SharedMemory.CreateNew(segmentKey, 1);
    using var semaphore = SystemSemaphore.CreateNew(semaphoreKey, 0);
    Expect(Throws<NativeIpcException>(() => SharedMemory.CreateNew(segmentKey, 1).Dispose()).Error,
        NativeIpcError.AlreadyExists);
    Expect(Throws<NativeIpcException>(() => SystemSemaphore.CreateNew(semaphoreKey, 0).Dispose()).Error,
        NativeIpcError.AlreadyExists);
    Expect(Throws<NativeIpcException>(() => SharedMemory.OpenExisting(default).Dispose()).Error,
        NativeIpcError.KeyError);
}

static void LeaveBehind(NativeIpcKey segment, NativeIpcKey semaphore, bool signal)
{
    string[] arguments = ["leave", segment.ToString(), semaphore.ToString(),
        .. signal ? ["signal"] : Array.Empty<string>()];
    var start = new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardOutput = true,
        RedirectStandardInput = true };
    using Process child = Process.Start(start)!;
    Expect(child.StandardOutput.ReadLine(), "made");
    if (signal)
    {
        SharedMemory.OpenExisting(segment, SharedMemoryAccess.Read).Dispose();
        SendTerm(child.Id);
    }

    child.WaitForExit();
    Expect(child.ExitCode, signal ? 128 + 15 : 0);
    Expect(SharedMemory.TryOpenExisting(segment, out _), false);
    Expect(SystemSemaphore.TryOpenExisting(semaphore, out _), false);
    Expect(segment.Type.IsSystemV && File.Exists(segment.NativeKey), false);
}

static void KeepInSpiteOfSignal(NativeIpcKey segment, NativeIpcKey semaphore)
{
    var start = new ProcessStartInfo(Environment.ProcessPath!,
        ["cancel", segment.ToString(), semaphore.ToString()]) { RedirectStandardOutput = true };
    using Process child = Process.Start(start)!;
    Expect(child.StandardOutput.ReadToEnd(), "kept\n");
    child.WaitForExit();
    Expect(child.ExitCode, 0);
    Expect(SharedMemory.TryOpenExisting(segment, out _), false);
    Expect(SystemSemaphore.TryOpenExisting(semaphore, out _), false);
}

static void SendTerm(int processId)
{
    using Process kill = Process.Start("kill", ["-TERM", $"{processId}"]);
    kill.WaitForExit();
}

static void Expect<T>(T found, T wanted)
{
    if (!EqualityComparer<T>.Default.Equals(found, wanted))
        throw new InvalidOperationException($"found {found}, expected {wanted}");
}

static Exception? Record(Action action)
{
    try
    {
        action();
        return null;
    }
    catch (Exception failure)
    {
        return failure;
    }
}

static TException Throws<TException>(Action action)
    where TException : Exception
    => Record(action) switch
    {
        TException expected => expected,
        var other => throw new InvalidOperationException($"expected {typeof(TException).Name}", other),
    };

namespace NativeIpc.Aot
{
    internal sealed record Document(NativeIpcKey Key, Dictionary<NativeIpcKey, int> Counts);

    [JsonSerializable(typeof(Document))]
    internal sealed partial class DocumentContext : JsonSerializerContext;
}
