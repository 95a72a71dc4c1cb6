using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace NativeIpc.Extensions;

/// <summary>The meter "NativeIpc". Names, units and attributes follow OpenTelemetry's semantic conventions (general
/// naming, metric units in UCUM, <c>error.type</c>); README.md lists them.</summary>
internal sealed class NativeIpcMetrics : IDisposable
{
    internal const string MeterName = "NativeIpc";

    private const string KindTag = "nativeipc.object.kind";
    private const string NameTag = "nativeipc.object.name";

    private readonly RegisteredObjects _objects;
    private readonly ILogger _log;
    private readonly Counter<long> _waits;
    private readonly Histogram<double> _waitTime;
    private readonly Counter<long> _takeovers;
    private readonly Counter<long> _lostPermits;

    public NativeIpcMetrics(IMeterFactory meters, RegisteredObjects objects, ILoggerFactory? logs = null)
    {
        _objects = objects;
        _log = Log.For(logs);
        Meter meter = meters.Create(MeterName);
        _waits = meter.CreateCounter<long>("nativeipc.waits", "{wait}",
            "Waits for a permit or a lock that are over. What is had at once is no wait.");
        _waitTime = meter.CreateHistogram("nativeipc.wait.duration", "s",
            "How long waits for a permit or a lock took, once they slept.", tags: null, new InstrumentAdvice<double>
            {
                HistogramBucketBoundaries =
                    [0.00001, 0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60],
            });
        _takeovers = meter.CreateCounter<long>("nativeipc.takeovers", "{takeover}",
            "Locks that were taken over from holders that were killed.");
        _lostPermits = meter.CreateCounter<long>("nativeipc.lost_permits", "{permit}",
            "Permits of killed holders that this process has given back.");
        meter.CreateObservableUpDownCounter("nativeipc.object.count", CountObjects, "{object}",
            "Registered objects that are open.");
        meter.CreateObservableUpDownCounter("nativeipc.object.size", MeasureObjects, "By",
            "The size of each registered segment that is open.");
        IpcActivity.Waited += NoteWait;
        IpcActivity.TookOver += NoteTakeover;
        IpcActivity.LostPermitsReturned += NoteReturned;
    }

    /// <summary>The meter belongs to its factory, which closes it.</summary>
    public void Dispose()
    {
        IpcActivity.Waited -= NoteWait;
        IpcActivity.TookOver -= NoteTakeover;
        IpcActivity.LostPermitsReturned -= NoteReturned;
    }

    private void NoteWait(IpcWait wait)
    {
        if (!_waits.Enabled && !_waitTime.Enabled) return;
        TagList tags = TagsOf(_objects.Find(wait.Kind, wait.Key), wait.Kind);
        if (!wait.WasAcquired) tags.Add("error.type", "not_acquired");
        _waits.Add(1, tags);
        _waitTime.Record(wait.Duration.TotalSeconds, tags);
    }

    private void NoteTakeover(NativeIpcKey key)
    {
        _takeovers.Add(1, TagsOfSemaphore(key));
        LogLater(() => Log.TookOver(_log, key));
    }

    private void NoteReturned(NativeIpcKey key, int permits)
    {
        _lostPermits.Add(permits, TagsOfSemaphore(key));
        LogLater(() => Log.LostPermitsReturned(_log, permits, key));
    }

    /// <summary>Logs on a thread of the pool: a provider may block, and the thread that tells may serve the waits of
    /// the whole process.</summary>
    private static void LogLater(Action log)
        => ThreadPool.UnsafeQueueUserWorkItem(static log =>
        {
            try
            {
                log();
            }
            catch (Exception)
            {
                // A provider's failure: nobody is there to be told, and an exception here would end the process.
            }
        }, log, preferLocal: false);

    private TagList TagsOfSemaphore(in NativeIpcKey key)
        => TagsOf(_objects.Find(IpcObjectKind.SystemSemaphore, key), IpcObjectKind.SystemSemaphore);

    // The name of a registration, and never a key: of those there may be any number.
    private static TagList TagsOf(RegisteredObject? found, IpcObjectKind kind)
    {
        string plain = kind switch
        {
            IpcObjectKind.SharedMemory => Word(RegisteredKind.Segment),
            IpcObjectKind.SystemSemaphore => Word(RegisteredKind.Semaphore),
            _ => "event",
        };
        var tags = new TagList { { KindTag, found is null ? plain : Word(found.Kind) } };
        if (found is not null) tags.Add(NameTag, found.Name);
        return tags;
    }

    private static string Word(RegisteredKind kind)
        => kind switch
        {
            RegisteredKind.Segment => "segment",
            RegisteredKind.Semaphore => "semaphore",
            _ => "limiter",
        };

    private IEnumerable<Measurement<long>> CountObjects()
        => _objects.Open.GroupBy(open => open.Kind).Select(open =>
            new Measurement<long>(open.Count(), new KeyValuePair<string, object?>(KindTag, Word(open.Key))));

    private IEnumerable<Measurement<long>> MeasureObjects()
        => _objects.Open.Where(open => open.Kind == RegisteredKind.Segment).Select(open =>
            new Measurement<long>(open.Size, new(KindTag, Word(open.Kind)), new(NameTag, open.Name)));
}
