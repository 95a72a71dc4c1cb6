using BenchmarkDotNet.Attributes;

namespace NativeIpc.Benchmarks;

/// <summary>The lock of a segment, recovery from a killed holder included, beside a named Mutex.</summary>
[MemoryDiagnoser]
public class LockBenchmarks : IDisposable
{
    private SharedMemory _segment = null!;
    private Mutex _mutex = null!;

    [Params(NativeIpcKeyType.PosixRealtime, NativeIpcKeyType.SystemV)]
    public NativeIpcKeyType Type { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _segment = SharedMemory.CreateNew(SharedMemory.PlatformSafeKey($"bench-{Environment.ProcessId}", Type), 4096);
        _mutex = new Mutex(false, $"bench-{Environment.ProcessId}");
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _segment.Dispose();
        _mutex.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public void LockUnlock()
    {
        using SharedMemoryLock scope = _segment.Lock();
        Check.That(!scope.WasAbandoned);
    }

    [Benchmark]
    public void TryLockUnlock()
    {
        Check.That(_segment.TryLock(out SharedMemoryLock scope));
        scope.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void NamedMutex()
    {
        Check.That(_mutex.WaitOne());
        _mutex.ReleaseMutex();
    }
}
