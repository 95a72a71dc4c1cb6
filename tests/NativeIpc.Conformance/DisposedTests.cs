using System.Reflection;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Whatever is called on a disposed object throws ObjectDisposedException.</summary>
public abstract class DisposedTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    // What may be asked afterwards: facts that were noted when it was opened.
    private static readonly string[] s_remaining = ["get_WasAbandoned", "get_Key", "get_Size", "get_Access",
        "get_CreatedNew", "ToString", "Dispose"];

    [Fact]
    public void Every_method_of_a_disposed_segment_throws()
    {
        (string Name, Action<SharedMemory> Call)[] calls =
        [
            ("get_Span", s => _ = s.Span),
            ("get_ReadOnlySpan", s => _ = s.ReadOnlySpan),
            ("get_Memory", s => _ = s.Memory),
            ("get_ReadOnlyMemory", s => _ = s.ReadOnlyMemory),
            ("GetSpan", s => s.GetSpan(0, 1)),
            ("GetReadOnlySpan", s => s.GetReadOnlySpan(0, 1)),
            ("GetReference", s => s.GetReference<int>(0)),
            ("GetReadOnlyReference", s => s.GetReadOnlyReference<int>(0)),
            ("Read", s => s.Read(0, new byte[1])),
            ("Write", s => s.Write(0, [1])),
            ("VerifySize", s => s.VerifySize()),
            ("OpenStream", s => s.OpenStream()),
            ("BeginAccess", s => s.BeginAccess()),
            ("Lock", s => s.Lock()),
            ("Lock", s => s.Lock(CancellationToken.None)),
            ("TryLock", s => s.TryLock(out _)),
            ("GetLockStatus", s => s.GetLockStatus()),
            ("WaitOnWord", s => s.WaitOnWord(0, 0)),
            ("WaitOnWord", s => s.WaitOnWord(0, 0, TimeSpan.Zero)),
            ("WaitOnWordAsync", s => s.WaitOnWordAsync(0, 0, TimeSpan.Zero).AsTask().GetAwaiter().GetResult()),
            ("WakeWord", s => s.WakeWord(0)),
            ("get_WasReplaced", s => _ = s.WasReplaced),
            ("LockAsync", s => s.LockAsync().AsTask().GetAwaiter().GetResult()),
            ("TryLockAsync", s => s.TryLockAsync(TimeSpan.FromSeconds(1)).AsTask().GetAwaiter().GetResult()),
            ("TryLock", s => s.TryLock(TimeSpan.FromSeconds(1), out _)),
        ];
        Covers(typeof(SharedMemory), calls.Select(call => call.Name));
        NativeIpcKey key = NextKey();
        using SharedMemory other = SharedMemory.CreateNew(key, 100);
        using (other.Lock())
        {
            // Also one that has a lock, which another instance holds.
            foreach (SharedMemory segment in new[] { SharedMemory.OpenExisting(key), WithLock(key) })
            {
                segment.Dispose();
                segment.Dispose();
                foreach ((string name, Action<SharedMemory> call) in calls)
                {
                    ObjectDisposedException failure = Assert.Throws<ObjectDisposedException>(() => call(segment));
                    Assert.True(failure.ObjectName == typeof(SharedMemory).FullName,
                        $"{name} names {failure.ObjectName}.");
                }

                Assert.Equal(key, segment.Key);
                Assert.Equal(other.Size, segment.Size);
                Assert.False(segment.CreatedNew);
                Assert.Equal(SharedMemoryAccess.ReadWrite, segment.Access);
            }
        }
    }

    [Fact]
    public void A_stream_and_memory_of_a_disposed_segment_throw()
    {
        SharedMemory segment = SharedMemory.CreateNew(NextKey(), 100);
        Stream stream = segment.OpenStream();
        Memory<byte> memory = segment.Memory;
        segment.Dispose();
        Assert.Throws<ObjectDisposedException>(() => stream.ReadByte());
        Assert.Throws<ObjectDisposedException>(() => stream.WriteByte(1));
        Assert.ThrowsAsync<ObjectDisposedException>(() => stream.ReadAsync(new byte[1], 0, 1, Cancellation))
            .Wait(Cancellation);
        Assert.ThrowsAsync<ObjectDisposedException>(() => stream.WriteAsync(new byte[1], 0, 1, Cancellation))
            .Wait(Cancellation);
        Assert.Throws<ObjectDisposedException>(() => memory.Span[0]);
        stream.Dispose();
    }

    [Fact]
    public void Every_method_of_a_disposed_semaphore_throws()
    {
        (string Name, Action<SystemSemaphore> Call)[] calls =
        [
            ("Acquire", s => s.Acquire()),
            ("Acquire", s => s.Acquire(CancellationToken.None)),
            ("TryAcquire", s => s.TryAcquire()),
            ("TryAcquire", s => s.TryAcquire(TimeSpan.FromSeconds(1))),
            ("Release", s => s.Release()),
            ("Release", s => s.Release(2)),
            ("Release", s => s.Release(1, out _)),
            ("Abandon", s => s.Abandon()),
            ("TryGetCurrentCount", s => s.TryGetCurrentCount(out _)),
            ("GetLockStatus", s => s.GetLockStatus()),
            ("get_WasReplaced", s => _ = s.WasReplaced),
            ("AcquireAsync", s => s.AcquireAsync().AsTask().GetAwaiter().GetResult()),
            ("TryAcquireAsync", s => s.TryAcquireAsync(TimeSpan.FromSeconds(1)).AsTask().GetAwaiter().GetResult()),
            ("Acquire", s => s.Acquire(1)),
            ("TryAcquire", s => s.TryAcquire(1)),
            ("Enter", s => s.Enter()),
            ("TryEnter", s => s.TryEnter(TimeSpan.FromSeconds(1), out _)),
            ("EnterAsync", s => s.EnterAsync().AsTask().GetAwaiter().GetResult()),
            ("TryEnterAsync", s => s.TryEnterAsync(TimeSpan.FromSeconds(1)).AsTask().GetAwaiter().GetResult()),
        ];
        Covers(typeof(SystemSemaphore), calls.Select(call => call.Name));
        NativeIpcKey key = NextKey();
        using SystemSemaphore other = SystemSemaphore.CreateNew(key, 5);
        SystemSemaphore semaphore = SystemSemaphore.OpenExisting(key);
        semaphore.Dispose();
        semaphore.Dispose();
        foreach ((string name, Action<SystemSemaphore> call) in calls)
        {
            ObjectDisposedException failure = Assert.Throws<ObjectDisposedException>(() => call(semaphore));
            Assert.True(failure.ObjectName == typeof(SystemSemaphore).FullName, $"{name} names {failure.ObjectName}.");
        }

        Assert.Equal(key, semaphore.Key);
        Assert.False(semaphore.CreatedNew);
        for (int i = 0; i < 5; i++) Assert.True(other.TryAcquire());
        Assert.False(other.TryAcquire());
    }

    private static SharedMemory WithLock(in NativeIpcKey key)
    {
        SharedMemory segment = SharedMemory.OpenExisting(key);
        Assert.False(segment.TryLock(out _));
        return segment;
    }

    private static void Covers(Type type, IEnumerable<string> names)
    {
        IEnumerable<string> all = type.GetMethods(
            BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Select(method => method.Name)
            .Distinct();
        Assert.Equal(all.Except(s_remaining).Order(), names.Distinct().Order());
    }
}
