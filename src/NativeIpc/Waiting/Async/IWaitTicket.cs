namespace NativeIpc.Waiting.Async;

/// <summary>What hears, under the queue's gate, that its wait has got what it waited for: before a Dispose can end
/// the queue.</summary>
internal interface IWaitTicket
{
    void Begin();
}
