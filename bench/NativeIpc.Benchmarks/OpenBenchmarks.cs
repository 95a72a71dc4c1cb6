using System.IO.MemoryMappedFiles;
using BenchmarkDotNet.Attributes;

namespace NativeIpc.Benchmarks;

/// <summary>Opening and letting go of what is there, beside a named Mutex and a MemoryMappedFile over a file in
/// /dev/shm.</summary>
[MemoryDiagnoser]
public class OpenBenchmarks : IDisposable
{
    private readonly string _path = $"/dev/shm/bench-{Environment.ProcessId}-file",
        _name = $"bench-{Environment.ProcessId}-open";
    private SystemSemaphore _semaphore = null!;
    private SharedMemory _segment = null!;
    private Mutex _mutex = null!;

    [GlobalSetup]
    public void SetUp()
    {
        _semaphore = SystemSemaphore.CreateNew(SystemSemaphore.PlatformSafeKey(_name), 1);
        _segment = SharedMemory.CreateNew(SharedMemory.PlatformSafeKey(_name), 4096);
        _mutex = new Mutex(false, _name);
        File.WriteAllBytes(_path, new byte[4096]);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _semaphore.Dispose();
        _segment.Dispose();
        _mutex.Dispose();
        File.Delete(_path);
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public void Semaphore()
    {
        using SystemSemaphore semaphore = SystemSemaphore.OpenExisting(_semaphore.Key);
        Check.That(!semaphore.CreatedNew);
    }

    [Benchmark]
    public void Segment()
    {
        using SharedMemory segment = SharedMemory.OpenExisting(_segment.Key);
        Check.That(segment.Size == 4096);
    }

    [Benchmark]
    public void NamedMutex()
    {
        using Mutex mutex = Mutex.OpenExisting(_name);
        Check.That(!mutex.SafeWaitHandle.IsInvalid);
    }

    [Benchmark(Baseline = true)]
    public void MappedFile()
    {
        using MemoryMappedFile file = MemoryMappedFile.CreateFromFile(_path, FileMode.Open);
        using MemoryMappedViewAccessor view = file.CreateViewAccessor();
        Check.That(view.Capacity == 4096);
    }
}
