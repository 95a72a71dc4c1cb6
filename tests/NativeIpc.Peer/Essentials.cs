using System.Diagnostics;
using System.Text;
using NativeIpc.Inspection;

namespace NativeIpc.Peer;

/// <summary>
/// The essential part of the library, for places where the test suites cannot run: sandboxes and containers
/// (eng/platforms/containers.sh). Each step stands alone. One line for each, separated by tabs: key type, step, and
/// <c>ok</c>, or <c>no</c> with the reason.
/// </summary>
internal static class Essentials
{
    private const int Additions = 500;

    private static readonly TimeSpan s_watchdog = TimeSpan.FromSeconds(60);

    private static int s_count;

    internal static int Run(string prefix)
    {
        foreach (NativeIpcKeyType type in new[] { NativeIpcKeyType.PosixRealtime, NativeIpcKeyType.SystemV })
        {
            string name = type == NativeIpcKeyType.SystemV ? "systemv" : "posix";
            if (!SharedMemory.IsKeyTypeSupported(type) || !SystemSemaphore.IsKeyTypeSupported(type))
            {
                Say(name, "support", "no", "IsKeyTypeSupported says no");
                continue;
            }

            Try(name, "make", () => Make(SegmentKey(prefix, type), SemaphoreKey(prefix, type)));
            Try(name, "open", () => Open(SegmentKey(prefix, type)));
            Try(name, "lock", () => LockTogether(SegmentKey(prefix, type)));
            Try(name, "wait", () => Wait(SemaphoreKey(prefix, type)));
            Try(name, "cancel", () => CancelAsync(SemaphoreKey(prefix, type)).GetAwaiter().GetResult());
            Try(name, "event", () => Signal(EventKey(prefix, type)));
            Try(name, "recover", () => Recover(SegmentKey(prefix, type)));
            Try(name, "list", () => ListAndInspect(SegmentKey(prefix, type)));
            Try(name, "remove", () => Remove(SegmentKey(prefix, type), SemaphoreKey(prefix, type)));
        }

        return 0;
    }

    private static void Try(string type, string step, Action action)
    {
        try
        {
            action();
            Say(type, step, "ok", "");
        }
        catch (Exception failure)
        {
            Say(type, step, "no", $"{failure.GetType().Name}: {Words.OneLine(failure.Message)}");
        }
    }

    private static void Say(string type, string step, string result, string reason)
        => Console.WriteLine($"{type}\t{step}\t{result}\t{reason}");

    private static NativeIpcKey SegmentKey(string prefix, NativeIpcKeyType type)
        => SharedMemory.PlatformSafeKey($"{prefix}{Environment.ProcessId:x}-{++s_count}", type);

    private static NativeIpcKey SemaphoreKey(string prefix, NativeIpcKeyType type)
        => SystemSemaphore.PlatformSafeKey($"{prefix}{Environment.ProcessId:x}-{++s_count}", type);

    private static NativeIpcKey EventKey(string prefix, NativeIpcKeyType type)
        => SystemEvent.PlatformSafeKey($"{prefix}{Environment.ProcessId:x}-{++s_count}", type);

    private static void Make(NativeIpcKey segmentKey, NativeIpcKey semaphoreKey)
    {
        using var segment = SharedMemory.CreateNew(segmentKey, 8192);
        segment.Span[8191] = 1;
        using var semaphore = SystemSemaphore.CreateNew(semaphoreKey, 1);
        Expect(semaphore.TryAcquire(), "a permit of a new semaphore");
        Refuse(NativeIpcError.AlreadyExists, () => SharedMemory.CreateNew(segmentKey, 1).Dispose());
        Refuse(NativeIpcError.AlreadyExists, () => SystemSemaphore.CreateNew(semaphoreKey, 1).Dispose());
    }

    private static void Open(NativeIpcKey key)
    {
        using var segment = SharedMemory.CreateNew(key, 64);
        "to the other process"u8.CopyTo(segment.Span);
        using var peer = new Other();
        peer.Ask($"shm open a {key} rw");
        Expect(peer.Ask("shm read a 0 2") == "746f", "the bytes of this process");
        peer.Ask("shm write a 0 fe");
        Expect(segment.Span[0] == 0xFE, "the byte of the other process");
    }

    private static void LockTogether(NativeIpcKey key)
    {
        using var segment = SharedMemory.CreateNew(key, 64);
        using var peer = new Other();
        peer.Ask($"shm open a {key} rw");
        SharedMemoryLock start = segment.Lock();
        peer.Send($"shm add a 0 {Additions}");
        Expect(peer.Read() == "locking", "that the other process waits");
        start.Dispose();
        for (int i = 0; i < Additions; i++)
        {
            using (segment.Lock()) segment.GetReference<uint>(0)++;
        }

        peer.Answer();
        Expect(segment.GetReference<uint>(0) == 2 * Additions, "every addition");
    }

    private static void Wait(NativeIpcKey key)
    {
        using var semaphore = SystemSemaphore.CreateNew(key, 0);
        Expect(!semaphore.TryAcquire(TimeSpan.FromMilliseconds(20)), "that there is no permit");
        using var peer = new Other();
        peer.Ask($"sem open s {key}");
        peer.Send("sem acquire s");
        Expect(peer.Read() == "acquiring", "that the other process waits");
        semaphore.Release();
        peer.Answer();
        peer.Ask("sem release s");
        Expect(semaphore.TryAcquire(s_watchdog), "the permit of the other process");
    }

    private static async Task CancelAsync(NativeIpcKey key)
    {
        using var semaphore = SystemSemaphore.CreateNew(key, 0);
        using var cancellation = new CancellationTokenSource();
        Task waiting = semaphore.AcquireAsync(cancellation.Token).AsTask();
        await cancellation.CancelAsync().ConfigureAwait(false);
        bool wasCancelled = false;
        try
        {
            await waiting.WaitAsync(s_watchdog).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            wasCancelled = true;
        }

        Expect(wasCancelled, "a cancelled wait");
        using var blocked = new CancellationTokenSource(TimeSpan.FromMilliseconds(20));
        try
        {
            semaphore.Acquire(blocked.Token);
            Expect(false, "a cancelled blocking wait");
        }
        catch (OperationCanceledException)
        {
        }

        Task next = semaphore.AcquireAsync().AsTask();
        semaphore.Release();
        await next.WaitAsync(s_watchdog).ConfigureAwait(false);
    }

    private static void Signal(NativeIpcKey key)
    {
        using var signal = SystemEvent.CreateNew(key, EventResetMode.AutoReset);
        Expect(!signal.Wait(TimeSpan.FromMilliseconds(20)), "that the event is not set");
        using var peer = new Other();
        peer.Ask($"event open e {key}");
        peer.Send("event wait e");
        Expect(peer.Read() == "waiting", "that the other process waits for the event");
        signal.Set();
        peer.Answer();
        peer.Ask("event set e");
        Expect(signal.Wait(s_watchdog), "what the other process has set");
    }

    private static void Recover(NativeIpcKey key)
    {
        using var segment = SharedMemory.CreateNew(key, 64);
        using var peer = new Other();
        peer.Ask($"shm open a {key} rw");
        peer.Send("shm lock a");
        Expect(peer.Read() == "locking", "that the other process locks");
        peer.Answer();
        Expect(!segment.TryLock(out _), "that the other process has the lock");
        peer.Kill();
        Expect(segment.TryLock(s_watchdog, out SharedMemoryLock held), "the lock of the killed process");
        bool wasAbandoned = held.WasAbandoned;
        held.Dispose();
        Expect(wasAbandoned, "to be told of the killed process");
    }

    private static void ListAndInspect(NativeIpcKey key)
    {
        using var segment = SharedMemory.CreateNew(key, 64);
        Expect(IpcObjects.Enumerate().Objects.Any(found => found.Key == key), "the segment in the list");
        Expect(IpcObjects.Inspect(key, IpcObjectKind.SharedMemory) is { Size: 64 }, "the segment itself");
    }

    private static void Remove(NativeIpcKey segmentKey, NativeIpcKey semaphoreKey)
    {
        SharedMemory.CreateNew(segmentKey, 64, new SharedMemoryOptions { Removal = RemovalPolicy.Keep }).Dispose();
        SystemSemaphore.CreateNew(semaphoreKey, 1, new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep })
            .Dispose();
        Expect(SharedMemory.Remove(segmentKey), "a segment that is kept");
        Expect(SystemSemaphore.Remove(semaphoreKey), "a semaphore that is kept");
        Refuse(NativeIpcError.NotFound, () => SharedMemory.OpenExisting(segmentKey).Dispose());
        Refuse(NativeIpcError.NotFound, () => SystemSemaphore.OpenExisting(semaphoreKey).Dispose());
    }

    private static void Refuse(NativeIpcError error, Action action)
    {
        try
        {
            action();
        }
        catch (NativeIpcException failure) when (failure.Error == error)
        {
            return;
        }

        Expect(false, $"{error}");
    }

    private static void Expect(bool isSo, string what)
    {
        if (!isSo) throw new InvalidOperationException($"expected {what}");
    }

    /// <summary>Another process of this program, commanded by the protocol of the peers.</summary>
    private sealed class Other : IDisposable
    {
        private readonly Process _process;

        public Other()
        {
            // Without /proc the path of this process is only what it was called by
            string program = Environment.ProcessPath ?? Environment.GetCommandLineArgs()[0];
            _process = Process.Start(new ProcessStartInfo(program)
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                StandardInputEncoding = new UTF8Encoding(false),
            })!;
        }

        public void Send(string command)
        {
            _process.StandardInput.Write(command + "\n");
            _process.StandardInput.Flush();
        }

        public string Read()
            => _process.StandardOutput.ReadLineAsync().WaitAsync(s_watchdog).GetAwaiter().GetResult() ?? "nothing";

        public string Answer()
        {
            string answer = Read();
            return answer.StartsWith("ok", StringComparison.Ordinal)
                ? answer[2..].TrimStart() : throw new InvalidOperationException($"the other process says: {answer}");
        }

        public string Ask(string command)
        {
            Send(command);
            return Answer();
        }

        public void Kill()
        {
            _process.Kill();
            _process.WaitForExit();
        }

        public void Dispose()
        {
            if (!_process.HasExited) Kill();
            _process.Dispose();
        }
    }
}
