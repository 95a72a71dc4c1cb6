namespace NativeIpc.Channels.Segments;

/// <summary>What waits at a bell.</summary>
internal interface IAwaiting
{
    /// <summary>Whether the wait is over: there is something, nothing will come, it was closed, or a peer has written
    /// what must be told.</summary>
    bool HasNews();

    /// <summary>Gives up what it has; once, when it is closed and no call is inside any more.</summary>
    void End();
}
