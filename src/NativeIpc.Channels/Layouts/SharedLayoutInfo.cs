namespace NativeIpc.Channels;

/// <summary>What is known of a layout.</summary>
/// <param name="Name">Its name in other languages.</param>
/// <param name="Size">How many bytes a value has.</param>
/// <param name="Alignment">What the address of a value is a multiple of: 1, 2, 4 or 8 bytes.</param>
/// <param name="Version">The author's number.</param>
/// <param name="Fingerprint">A number made of the names, types and offsets of all fields: two layouts that have the
/// same one have the same bytes.</param>
public readonly record struct SharedLayoutInfo(string Name, int Size, int Alignment, int Version, ulong Fingerprint);
