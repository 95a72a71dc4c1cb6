using Microsoft.Win32.SafeHandles;

namespace NativeIpc.Interop.Windows;

/// <summary>
/// A Windows semaphore or event to wait on. A WaitHandle and not WaitForSingleObject: its waits hold a reference on the
/// handle, take part in what the runtime does for waiting threads (Thread.Interrupt, messages of single-threaded
/// apartments), and go on with what is left of the time after an APC.
/// </summary>
internal sealed class SemaphoreWaitHandle : WaitHandle
{
    public SemaphoreWaitHandle(SafeWaitHandle semaphore) => SafeWaitHandle = semaphore;
}
