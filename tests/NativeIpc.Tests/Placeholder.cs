namespace NativeIpc.Tests;
public class Placeholder
{
    [Xunit.Fact]
    public void The_invalid_key_is_the_default() => Xunit.Assert.False(default(NativeIpcKey).IsValid);
}
