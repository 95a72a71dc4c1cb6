using NativeIpc.Yardstick;
using Xunit;

namespace NativeIpc.Conformance;

/// <summary>What programs repeat makes no garbage. The operations are those of the yardstick, which prints what each
/// allocates (bench/README.md).</summary>
public abstract class AllocationTests<TProvider> : ConformanceTests<TProvider>
    where TProvider : Provider, new()
{
    [Fact]
    public void No_repeated_operation_allocates()
    {
        using Operations operations = new(NextKey(), NextKey(), NextKey());
        Assert.NotEmpty(operations.All);

        // An operation that allocates does so every time; the runtime may do it once, when it replaces code.
        string[] allocating = [.. from operation in operations.All
                                  let bytes = Enumerable.Range(0,
                                      3).Min(_ => Operations.BytesOf(operation.Value, times: 100))
                                  where bytes > 0
                                  select $"{operation.Key}: {bytes} bytes"];
        Assert.Empty(allocating);
    }
}
