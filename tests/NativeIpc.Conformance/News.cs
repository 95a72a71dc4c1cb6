using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What the thread that serves words serves, too, and continues on: an event, and where there is none a
/// semaphore. Those of musl are served by another thread.</summary>
internal sealed class News : IDisposable
{
    private readonly SystemEvent? _event;
    private readonly SystemSemaphore? _semaphore;

    internal News(NativeIpcKey key)
    {
        if (SystemEvent.IsKeyTypeSupported(key.Type))
        {
            _event = SystemEvent.CreateNew(key, EventResetMode.AutoReset,
                options: new SystemEventOptions { AllowSynchronousContinuations = true });
        }
        else
        {
            _semaphore = SystemSemaphore.CreateNew(key, 0,
                new SystemSemaphoreOptions { AllowSynchronousContinuations = true });
        }
    }

    internal Task WaitAsync()
    {
        CancellationToken token = TestContext.Current.CancellationToken;
        return _event?.WaitAsync(token).AsTask() ?? _semaphore!.AcquireAsync(token).AsTask();
    }

    internal void Set()
    {
        _event?.Set();
        _semaphore?.Release();
    }

    public void Dispose()
    {
        _event?.Dispose();
        _semaphore?.Dispose();
    }
}
