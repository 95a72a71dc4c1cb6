namespace NativeIpc.Channels;

/// <summary>
/// Makes an empty partial struct a text of fixed length in a layout: UTF-8, filled up with zero bytes, ended by the
/// first zero byte or by its length. The generator adds its bytes, <c>ToString</c>, <c>TrySet</c>, <c>Set</c> and
/// <c>Bytes</c>. In C it is an array of <c>char</c>.
/// </summary>
/// <param name="length">How many bytes it has, from 1 to 65,535.</param>
[AttributeUsage(AttributeTargets.Struct)]
public sealed class FixedTextAttribute(int length) : Attribute
{
    /// <summary>How many bytes it has.</summary>
    public int Length { get; } = length;
}
