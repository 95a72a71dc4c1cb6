namespace NativeIpc.Channels;

/// <summary>What the head of a segment says of the layout behind it (docs/layouts.md).</summary>
/// <param name="Version">The author's number.</param>
/// <param name="Fingerprint">The fingerprint of the layout.</param>
/// <param name="Size">How many bytes a value has.</param>
public readonly record struct SharedLayoutHead(int Version, ulong Fingerprint, int Size);
