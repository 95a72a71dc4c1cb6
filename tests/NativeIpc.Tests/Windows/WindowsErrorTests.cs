using NativeIpc.Windows;
using Xunit;

namespace NativeIpc.Tests.Windows;

/// <summary>What the numbers of Windows mean to each call; those that Wine never gives are seen here alone.</summary>
public class WindowsErrorTests
{
    private const string Attempt = "create the segment";

    [Theory]
    [InlineData(@"Global\x", 5, NativeIpcError.PermissionDenied, "SeCreateGlobalPrivilege")]
    [InlineData(@"Global\x", 1314, NativeIpcError.PermissionDenied, "SeCreateGlobalPrivilege")]
    [InlineData(@"Local\x", 5, NativeIpcError.PermissionDenied, "access control list")]
    [InlineData("x", 5, NativeIpcError.PermissionDenied, "access control list")]
    [InlineData("x", 6, NativeIpcError.KeyError, "Another kind of object")]
    [InlineData("x", 87, NativeIpcError.InvalidSize, "ask for less")]
    [InlineData("x", 183, NativeIpcError.AlreadyExists, "CreateOrOpen")]
    [InlineData("x", 206, NativeIpcError.KeyError, "PlatformSafeKey")]
    [InlineData("x", 1455, NativeIpcError.OutOfResources, "paging file")]
    [InlineData("x", 1816, NativeIpcError.OutOfResources, "handles")]
    [InlineData("x", 31, NativeIpcError.Unknown, "CreateFileMappingW")]
    public void Creating_a_segment(string name, int number, NativeIpcError error, string remedy)
        => Check(WindowsErrors.CreateSegment(Attempt, new NativeIpcKey(name, NativeIpcKeyType.Windows), number, 4096),
            "CreateFileMappingW", number, error, remedy);

    [Theory]
    [InlineData(@"Global\x", 5, NativeIpcError.PermissionDenied, "SeCreateGlobalPrivilege")]
    [InlineData("x", 5, NativeIpcError.PermissionDenied, "access control list")]
    [InlineData("x", 8, NativeIpcError.OutOfResources, "handles")]
    [InlineData("x", 87, NativeIpcError.Unknown, "CreateSemaphoreW")]
    public void Creating_a_semaphore(string name, int number, NativeIpcError error, string remedy)
        => Check(WindowsErrors.CreateSemaphore(Attempt, new NativeIpcKey(name, NativeIpcKeyType.Windows), number),
            "CreateSemaphoreW", number, error, remedy);

    [Theory]
    [InlineData(4, "pass 4, the maximum that its creator set")]
    [InlineData(null, "which this user may not read")]
    public void A_release_over_the_maximum_names_key_call_maximum_and_remedy(int? maximum, string told)
    {
        var key = new NativeIpcKey("x", NativeIpcKeyType.Windows);
        NativeIpcException failure = WindowsErrors.Release(key, 298, 3, maximum);
        Assert.Equal((NativeIpcError.OutOfResources, 298), (failure.Error, failure.NativeErrorCode));
        foreach (string part in new[] { told, key.ToString(), "release 3 permits", "ReleaseSemaphore", "298",
            "no permit was given", "MaximumCount" })
            Assert.Contains(part, failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(@"Global\x", 2, NativeIpcError.NotFound, "on this machine")]
    [InlineData("x", 2, NativeIpcError.NotFound, @"under Global\")]
    // Opening needs no privilege
    [InlineData(@"Global\x", 5, NativeIpcError.PermissionDenied, "grant this user access")]
    [InlineData("x", 5, NativeIpcError.PermissionDenied, "grant this user access")]
    [InlineData("x", 3, NativeIpcError.KeyError, "backslash")]
    public void Opening(string name, int number, NativeIpcError error, string remedy)
        => Check(WindowsErrors.Open(Attempt, new NativeIpcKey(name, NativeIpcKeyType.Windows), "OpenFileMappingW",
            number), "OpenFileMappingW", number, error, remedy);

    private static void Check(NativeIpcException failure, string call, int number, NativeIpcError error, string remedy)
    {
        Assert.Equal((error, number, call), (failure.Error, failure.NativeErrorCode, failure.Operation));
        Assert.StartsWith($"Cannot {Attempt} windows:", failure.Message, StringComparison.Ordinal);
        Assert.Contains(remedy, failure.Message, StringComparison.Ordinal);
    }
}
