using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Contracts;
using NativeIpc.Interop.Windows;

namespace NativeIpc.Windows;

/// <summary>An open Windows semaphore. Waits and releases hold a reference on its handle, which closes when the last of
/// them has returned.</summary>
internal sealed class WindowsSemaphore : SemaphoreObject
{
    private readonly SafeWaitHandle _handle;
    private readonly SemaphoreWaitHandle _wait;

    internal WindowsSemaphore(in NativeIpcKey key, SafeWaitHandle handle, bool createdNew)
        : base(key)
    {
        _handle = handle;
        _wait = new SemaphoreWaitHandle(handle);
        CreatedNew = createdNew;
    }

    public override WaitHandle? WaitHandle => _wait;

    public override bool TryAcquire()
    {
        CheckOpen();
        return _wait.WaitOne(0);
    }

    public override bool Block(TimeSpan slice)
    {
        CheckOpen();

        // Rounded up: with less than a millisecond left, a wait of zero would make the caller spin to its deadline.
        return _wait.WaitOne((int)Math.Ceiling(slice.TotalMilliseconds));
    }

    public override void Release(int count)
    {
        CheckOpen();
        if (Kernel32.ReleaseSemaphore(_handle, count, 0) == 0) throw NotReleased(Key, _handle, count);
    }

    /// <inheritdoc/>
    public override unsafe int ReleaseCounted(int count)
    {
        CheckOpen();
        int before;
        return Kernel32.ReleaseSemaphore(_handle, count, (nint)(&before)) != 0
            ? before : throw NotReleased(Key, _handle, count);
    }

    /// <inheritdoc/>
    public override bool TryUnlock()
        => Kernel32.ReleaseSemaphore(_handle, 1, 0) != 0 ? true : throw NotReleased(Key, _handle, 1);

    /// <summary>What to throw when ReleaseSemaphore has just failed.</summary>
    internal static NativeIpcException NotReleased(in NativeIpcKey key, SafeWaitHandle handle, int count)
        => WindowsErrors.Release(key, Marshal.GetLastPInvokeError(), count, MaximumOf(key, handle));

    /// <summary>The largest count. A handle that was opened to be used may not ask; as long as it is open, the name
    /// leads to the same semaphore.</summary>
    private static int? MaximumOf(in NativeIpcKey key, SafeWaitHandle handle)
    {
        if (Ask(handle) is { } maximum) return maximum;
        using SafeWaitHandle asking = Kernel32.OpenSemaphoreW(Kernel32.SEMAPHORE_QUERY_STATE, 0, key.NativeKey);
        return asking.IsInvalid ? null : Ask(asking);
    }

    private static unsafe int? Ask(SafeWaitHandle handle)
        => Ntdll.NtQuerySemaphore(handle, Ntdll.SemaphoreBasicInformation,
            out Ntdll.SEMAPHORE_BASIC_INFORMATION information,
            (uint)sizeof(Ntdll.SEMAPHORE_BASIC_INFORMATION), 0) >= 0 ? information.MaximumCount : null;

    /// <inheritdoc/>
    public override void ReturnPermit() => TryUnlock();

    // Windows documents no way to read a count without changing it. NtQuerySemaphore, by which IpcObjects tells it, is
    // undocumented and needs a right that opening does not ask for.
    public override bool TryGetCount(out int count)
    {
        CheckOpen();
        count = 0;
        return false;
    }

    private void CheckOpen() => ThrowIfClosed(IsClosed);

    /// <inheritdoc/>
    /// <remarks>To give is one call that waits for nobody, and the handle, which is finalized last, closes
    /// itself.</remarks>
    protected override void WasDropped() => GivesBackFirst?.Invoke();

    protected override void Close() => _wait.Dispose();
}
