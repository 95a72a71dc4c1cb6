namespace NativeIpc.Victim;

/// <content>Steps with the last event that was made or opened.</content>
internal sealed partial class IpcSteps
{
    private SystemEvent? _event;

    private SystemEventOptions EventOptions => new()
    {
        Mode = Mode,
        Removal = Removal,
        RemoveAtProcessExit = RemoveAtProcessExit,
        PeerTimeout = PeerTimeout,
        AllowOtherOwners = bool.Parse(Option("others", "false")),
        Reclaim = bool.Parse(Option("reclaim", "false")),
        Group = Option("group", "") is { Length: > 0 } group ? group : null,
    };

    private string Keep(SystemEvent opened)
    {
        _event = opened;
        _kept.Add(opened);
        return opened.CreatedNew ? "created" : "opened";
    }

    private string Set()
    {
        _event!.Set();
        return "set";
    }
}
