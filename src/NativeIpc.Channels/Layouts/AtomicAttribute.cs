namespace NativeIpc.Channels;

/// <summary>
/// Marks a field of a layout that several processes read and write at once. The field is private, an <see cref="int"/>,
/// <see cref="uint"/>, <see cref="long"/> or <see cref="ulong"/>, and its name begins with an underscore: <c>[Atomic]
/// private long _sequence;</c>. The generator adds the property <c>Sequence</c>, which reads with acquire and writes
/// with release order, and <c>ExchangeSequence</c>, <c>CompareExchangeSequence</c> and <c>AddSequence</c>, which are
/// full barriers.
/// </summary>
[AttributeUsage(AttributeTargets.Field)]
public sealed class AtomicAttribute : Attribute;
