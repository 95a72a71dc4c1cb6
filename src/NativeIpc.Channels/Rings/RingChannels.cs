using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Versioning;
using System.Threading.Channels;

namespace NativeIpc.Channels;

/// <summary>A channel's end that writes values to a ring.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
internal sealed class RingChannelWriter<T>(SharedRingWriter writer) : ChannelWriter<T>
    where T : unmanaged
{
    private bool _isCompleted;

    public override bool TryWrite(T item)
        => !_isCompleted && writer.TryWrite(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in item)));

    public override ValueTask<bool> WaitToWriteAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<bool>(cancellationToken);
        return _isCompleted ? new ValueTask<bool>(false) : WaitAsync(cancellationToken);
    }

    public override bool TryComplete(Exception? error = null)
    {
        if (_isCompleted) return false;
        writer.Complete();
        _isCompleted = true;
        return true;
    }

    private async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        await writer.WaitForRoomAsync(Unsafe.SizeOf<T>(), cancellationToken).ConfigureAwait(false);
        return true;
    }
}

/// <summary>A channel's end that reads values from a ring.</summary>
[SupportedOSPlatform("linux")]
[SupportedOSPlatform("windows")]
internal sealed class RingChannelReader<T>(SharedRingReader reader) : ChannelReader<T>
    where T : unmanaged
{
    private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override Task Completion => _completion.Task;

    public override bool TryRead([MaybeNullWhen(false)] out T item)
    {
        item = default;
        if (!reader.TryRead(out ReadOnlySpan<byte> message))
        {
            if (reader.IsCompleted) _completion.TrySetResult();
            return false;
        }

        int length = message.Length;
        bool fits = length == Unsafe.SizeOf<T>();
        if (fits) item = MemoryMarshal.Read<T>(message);
        reader.Release();
        if (reader.IsCompleted) _completion.TrySetResult();
        return fits ? true : throw reader.OtherLength(length, Unsafe.SizeOf<T>());
    }

    public override async ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default)
    {
        if (await reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false)) return true;
        _completion.TrySetResult();
        return false;
    }
}
