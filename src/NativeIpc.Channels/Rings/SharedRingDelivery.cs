namespace NativeIpc.Channels;

/// <summary>What becomes of a message whose reader is killed while it has it.</summary>
public enum SharedRingDelivery
{
    /// <summary>The next reader is given it again: it is released only after it was used. It is read in
    /// place.</summary>
    AtLeastOnce = 0,

    /// <summary>It is gone: it is copied and released before it is given, so nobody is given it twice.</summary>
    AtMostOnce,
}
