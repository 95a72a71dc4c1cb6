using System.IO.MemoryMappedFiles;
using BenchmarkDotNet.Attributes;

namespace NativeIpc.Benchmarks;

/// <summary>4 KiB into shared memory and back, and one word read, beside MemoryMappedViewAccessor.</summary>
[MemoryDiagnoser]
public class ViewBenchmarks : IDisposable
{
    private const int Size = 4096;
    private readonly string _path = $"/dev/shm/bench-{Environment.ProcessId}-view";
    private readonly byte[] _from = [.. Enumerable.Range(0, Size).Select(i => (byte)i)], _to = new byte[Size];
    private SharedMemory _segment = null!;
    private MemoryMappedFile _file = null!;
    private MemoryMappedViewAccessor _view = null!;

    [GlobalSetup]
    public void SetUp()
    {
        _segment = SharedMemory.CreateNew(SharedMemory.PlatformSafeKey($"bench-{Environment.ProcessId}-view"), Size);
        _file = MemoryMappedFile.CreateFromFile(_path, FileMode.Create, null, Size);
        _view = _file.CreateViewAccessor();
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _segment.Dispose();
        _view.Dispose();
        _file.Dispose();
        File.Delete(_path);
        GC.SuppressFinalize(this);
    }

    [Benchmark]
    public void CopySpan()
    {
        _from.CopyTo(_segment.Span);
        _segment.ReadOnlySpan.CopyTo(_to);
        Check.That(_to[^1] == _from[^1]);
    }

    [Benchmark]
    public void CopyReadWrite()
    {
        _segment.Write(0, _from);
        _segment.Read(0, _to);
        Check.That(_to[^1] == _from[^1]);
    }

    [Benchmark(Baseline = true)]
    public void CopyAccessor()
    {
        _view.WriteArray(0, _from, 0, Size);
        _view.ReadArray(0, _to, 0, Size);
        Check.That(_to[^1] == _from[^1]);
    }

    [Benchmark]
    public long ReadReference() => _segment.GetReadOnlyReference<long>(8);

    [Benchmark]
    public long ReadAccessor() => _view.ReadInt64(8);
}
