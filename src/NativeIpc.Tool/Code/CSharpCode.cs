namespace NativeIpc.Tool.Code;

/// <summary>A program in C#, of one file, which .NET 10 runs as it is.</summary>
internal static class CSharpCode
{
    public static string For(in NativeIpcKey key, IpcObjectKind kind) => kind == IpcObjectKind.SharedMemory
        ? $$"""
        // Attaches to a segment. Run: dotnet run open.cs
        #:package NativeIpc@*
        using NativeIpc;

        var key = NativeIpcKey.Parse({{Literal.Escaped(key.ToString())}});

        // Keep: whoever made the segment removes it, not this program.
        using var segment = SharedMemory.OpenExisting(key, SharedMemoryAccess.ReadWrite,
            new SharedMemoryOptions { Removal = RemovalPolicy.Keep });
        Console.WriteLine($"{segment.Size} bytes, the first one is {segment.ReadOnlySpan[0]}");

        """
        : $$"""
        // Opens a semaphore, takes a permit and gives it back. Run: dotnet run open.cs
        #:package NativeIpc@*
        using NativeIpc;

        var key = NativeIpcKey.Parse({{Literal.Escaped(key.ToString())}});

        // Keep: whoever made the semaphore removes it, not this program.
        using var semaphore = SystemSemaphore.OpenExisting(key,
            new SystemSemaphoreOptions { Removal = RemovalPolicy.Keep });
        semaphore.Acquire();
        Console.WriteLine("acquired");
        semaphore.Release();

        """;
}
