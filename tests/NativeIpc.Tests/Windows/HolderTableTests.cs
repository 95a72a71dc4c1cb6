using NativeIpc.Keys;
using NativeIpc.Windows;
using Xunit;

namespace NativeIpc.Tests.Windows;

/// <summary>The name of the record of who holds a lock on Windows.</summary>
public class HolderTableTests
{
    [Theory]
    [InlineData("app_sem", "app_sem_holder")]
    [InlineData(@"Global\app_sem", @"Global\app_sem_holder")]
    [InlineData(@"Local\app_sem", "app_sem_holder")] // the same name space as without
    public void It_is_the_semaphore_s_with_a_suffix(string semaphore, string expected)
        => Assert.Equal(expected, NameOf(semaphore));

    [Fact]
    public void Names_of_every_length_fit_with_the_number_of_a_slot_and_stay_apart()
    {
        string[] semaphores = [.. Enumerable.Range(1, NameRules.WindowsMaxPath - 1)
            .Select(length => new string('x', length)), new string('x', 258) + "y", @"Global\" + new string('x', 252)];

        string[] names = [.. semaphores.Select(NameOf)];

        Assert.All(names, name => Assert.InRange(name.Length + 3, 1, NameRules.WindowsMaxPath - 1));
        Assert.All(names, name => Assert.EndsWith("_holder", name, StringComparison.Ordinal));
        Assert.Equal(names.Length, names.Distinct().Count());
        Assert.StartsWith(@"Global\", names[^1], StringComparison.Ordinal);
    }

    private static string NameOf(string semaphore)
        => HolderTable.KeyOf(new NativeIpcKey(semaphore, NativeIpcKeyType.Windows)).NativeKey;
}
