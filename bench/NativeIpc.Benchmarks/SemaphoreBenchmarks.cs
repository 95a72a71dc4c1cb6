using BenchmarkDotNet.Attributes;

namespace NativeIpc.Benchmarks;

/// <summary>An acquire and a release with nobody else there, beside a named Mutex, which is what .NET has for this on
/// every system.</summary>
[MemoryDiagnoser]
public class SemaphoreBenchmarks : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private SystemSemaphore _semaphore = null!;
    private Mutex _mutex = null!;

    [Params(NativeIpcKeyType.PosixRealtime, NativeIpcKeyType.SystemV)]
    public NativeIpcKeyType Type { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _semaphore = SystemSemaphore.CreateNew(
            SystemSemaphore.PlatformSafeKey($"bench-{Environment.ProcessId}", Type), 1);
        _mutex = new Mutex(false, $"bench-{Environment.ProcessId}");
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _semaphore.Dispose();
        _mutex.Dispose();
        _source.Dispose();
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public void AcquireRelease()
    {
        _semaphore.Acquire();
        _semaphore.Release();
    }

    [Benchmark]
    public void AcquireReleaseWithToken()
    {
        _semaphore.Acquire(_source.Token);
        _semaphore.Release();
    }

    [Benchmark]
    public void TryAcquireRelease()
    {
        Check.That(_semaphore.TryAcquire());
        _semaphore.Release();
    }

    [Benchmark]
    public void TryAcquireReleaseWithTimeout()
    {
        Check.That(_semaphore.TryAcquire(TimeSpan.FromSeconds(1)));
        _semaphore.Release();
    }

    [Benchmark]
    public async Task AcquireAsyncRelease()
    {
        await _semaphore.AcquireAsync();
        _semaphore.Release();
    }

    [Benchmark(Baseline = true)]
    public void NamedMutex()
    {
        Check.That(_mutex.WaitOne());
        _mutex.ReleaseMutex();
    }
}
