using System.Reflection;
using CsCheck;
using Xunit;

namespace NativeIpc.Analyzers.Tests;

/// <summary>What is reported, and what is not.</summary>
public sealed class AnalyzerTests
{
    private static async Task Reports(string id, string body)
    {
        // The lines that end with a mark
        string[] expected = [.. body.Split('\n')
            .Where(line => line.TrimEnd().EndsWith("// here", StringComparison.Ordinal))
            .Select(line => $"{id}: {line.Trim()}")];
        Assert.Equal(expected, await Code.Analyze(body));
    }

    [Theory]
    [InlineData("Span<byte> span = segment.Span; segment.Dispose();\nspan[0] = 1; // here")]
    [InlineData("Memory<byte> all = segment.Memory; segment.Dispose();\nUse(all.Span); // here")]
    [InlineData("ref int count = ref segment.GetReference<int>(0); segment.Dispose();\ncount++; // here")]
    [InlineData("ReadOnlySpan<byte> part = segment.GetReadOnlySpan(0, 8)[2..]; segment.Dispose();\nUse(part); // here")]
    [InlineData("Span<byte> a = segment.Span; Span<byte> b = a.Slice(1); segment.Dispose();\nUse(b); // here")]
    [InlineData("Span<int> a = MemoryMarshal.Cast<byte, int>(segment.Span); segment.Dispose();\nUse(a); // here")]
    [InlineData("Span<byte> span = segment.Span; segment.Dispose(); if (really)\n{\nspan[0] = 1; // here\n}")]
    [InlineData("Span<byte> span; using (SharedMemory mine = New()) { span = mine.Span; }\nUse(span); // here")]
    [InlineData("Span<byte> span; { using SharedMemory mine = New(); span = mine.Span; }\nUse(span); // here")]
    [InlineData("ref int count = ref segment.GetReference<int>(0); count = 2; segment.Dispose();\ncount = 1; // here")]
    [InlineData("Action a = () =>\n{\nMemory<byte> all = segment.Memory; segment.Dispose();\nUse(all); // here\n};")]
    public Task A_view_that_is_used_after_the_end_is_reported(string body) => Reports("NIPC001", body);

    [Theory]
    [InlineData("Span<byte> span = segment.Span; span[0] = 1; segment.Dispose();")]
    [InlineData("byte[] copy = segment.Span.ToArray(); segment.Dispose(); Use(copy);")]
    [InlineData("ReadOnlySpan<byte> copy = segment.Span.ToArray(); segment.Dispose(); Use(copy);")]
    [InlineData("Span<byte> span = segment.Span; if (really) { segment.Dispose(); return; } span[0] = 1;")]
    [InlineData("Span<byte> span = segment.Span; segment.Dispose(); span = new byte[4]; Use(span);")]
    [InlineData("using SharedMemory other = New(); Span<byte> span = other.Span; segment.Dispose(); Use(span);")]
    [InlineData("int first = segment.Span[0]; segment.Dispose(); Use(first);")]
    [InlineData("using SharedMemory mine = New(); Span<byte> span = mine.Span; Use(span);")]
    [InlineData("Span<byte> span = segment.Span; span = span.ToArray(); segment.Dispose(); Use(span);")]
    [InlineData("Span<byte> a = segment.Span; a = default; Span<byte> b = a; segment.Dispose(); Use(a); Use(b);")]
    [InlineData("Memory<byte> all = segment.Memory; Out(out all); segment.Dispose(); Use(all);")]
    [InlineData("Memory<byte> all = segment.Memory; segment.Dispose(); Out(out all); Use(all);")]
    [InlineData("Memory<byte> all = segment.Memory; segment.Dispose(); Ref(ref all); Use(all);")]
    [InlineData("Memory<byte> all = segment.Memory; segment.Dispose(); (all, _) = (new byte[4], 1); Use(all);")]
    [InlineData("Memory<byte> all = segment.Memory; Fill(); segment.Dispose(); void Fill() => Use(all);")]
    [InlineData("Memory<byte> all = segment.Memory; segment.Dispose(); Action fill = () => Use(all);")]
    [InlineData("Span<byte> s = segment.Span; segment.Dispose(); Use(s.Length); Use(s.IsEmpty); Use(nameof(s));")]
    public Task Other_uses_are_not_reported(string body) => Reports("NIPC001", body);

    [Theory]
    [InlineData("segment.Lock(); // here")]
    [InlineData("_ = segment.Lock(); // here")]
    [InlineData("await segment.LockAsync(); // here")]
    [InlineData("await segment.LockAsync().ConfigureAwait(false); // here")]
    [InlineData("await segment.LockAsync().AsTask(); // here")]
    [InlineData("SharedMemoryLock held = segment.Lock(); // here")]
    [InlineData("var held = segment.Lock(); // here\nUse(held.WasAbandoned);")]
    [InlineData("if (segment.TryLock(out _)) Use(1); // here")]
    [InlineData("if (segment.TryLock(out SharedMemoryLock held)) Use(1); // here")]
    [InlineData("semaphore.Enter(); // here")]
    [InlineData("SystemSemaphorePermit permit = semaphore.Enter(); // here")]
    public Task A_scope_that_nothing_disposes_is_reported(string body) => Reports("NIPC002", body);

    [Theory]
    [InlineData("using SharedMemoryLock held = segment.Lock();")]
    [InlineData("using (segment.Lock()) { }")]
    [InlineData("using (SharedMemoryLock held = segment.Lock()) { }")]
    [InlineData("using (await segment.LockAsync()) { }")]
    [InlineData("SharedMemoryLock held = segment.Lock(); held.Dispose();")]
    [InlineData("SharedMemoryLock held = segment.Lock(); Use(held);")]
    [InlineData("SharedMemoryLock held = segment.Lock(); try { } finally { held.Dispose(); }")]
    [InlineData("if (segment.TryLock(out SharedMemoryLock held)) using (held) Use(1);")]
    [InlineData("SharedMemoryLock held = segment.Lock(); Action end = () => held.Dispose(); Use(end);")]
    [InlineData("segment.Lock().Dispose();")]
    [InlineData("var kept = new Stack<SharedMemoryLock>(); SharedMemoryLock last = kept.Pop(); kept.Peek();")]
    [InlineData("var kept = new Dictionary<int, SharedMemoryLock>(); if (kept.TryGetValue(1, out var one)) Use(1);")]
    public Task A_scope_that_is_disposed_or_passed_on_is_not_reported(string body) => Reports("NIPC002", body);

    [Fact]
    public async Task A_scope_that_is_returned_or_kept_is_the_callers()
        => Assert.Empty(await Code.Analyze("_kept = segment.Lock();",
            "SharedMemoryLock _kept; SharedMemoryLock Make(SharedMemory of) => of.Lock();"));

    [Theory]
    [InlineData("Use(NativeIpcKey.Parse(\"/frames\")); // here")]
    [InlineData("Use(NativeIpcKey.Parse(\"posx:/frames\")); // here")]
    [InlineData("const string Text = \"systemv-256:/a\";\nUse(NativeIpcKey.Parse(Text)); // here")]
    [InlineData("Use(NativeIpcKey.Parse(\"posix:/a?b=c\".AsSpan().ToString()));")]
    [InlineData("Use(NativeIpcKey.Parse(\"posix:/a?b=c\", null)); // here")]
    [InlineData("Use(NativeIpcKey.Parse(\"posix:/frames\"));")]
    [InlineData("Use(NativeIpcKey.TryParse(\"frames\", out _));")]
    [InlineData("Use(NativeIpcKey.Parse(Environment.GetCommandLineArgs()[0]));")]
    public Task A_literal_that_is_no_key_is_reported(string body) => Reports("NIPC003", body);

    [Fact]
    public void The_rule_of_keys_is_that_of_the_library()
    {
        string[] parts =
        [
            "posix", "POSIX", "systemv", "systemv-", "windows", "0", "1", "255", "256", "00081", ":", "/", "//", "@",
            "host", "?", "legacyKey", "%6CegacyKey", "%6cegacy%4Bey", "%", "%C3%A9", "%6", "=", "&", "#", "a", "é", "",
        ];
        Gen.Int[0, parts.Length - 1].Select(part => parts[part]).Array[0, 8].Sample(words =>
        {
            string text = string.Concat(words);
            Assert.True(NativeIpcKey.TryParse(text, out _) == (KeyRule.FindFault(text) is null), text);
        }, iter: 20_000);
    }

    [Theory]
    [InlineData("SharedMemoryLock held = segment.Lock();", "using SharedMemoryLock held = segment.Lock();")]
    [InlineData("var held = await segment.LockAsync();", "using var held = await segment.LockAsync();")]
    [InlineData("// first\nvar p = semaphore.Enter();", "// first\nusing var p = semaphore.Enter();")]
    [InlineData("segment.Lock();", null)]
    [InlineData("bool got = segment.TryLock(out _);", null)]
    [InlineData("var p = await semaphore.EnterAsync().ConfigureAwait(false);",
        "using var p = await semaphore.EnterAsync().ConfigureAwait(false);")]
    [InlineData("Task t = Task.Run(() => { segment.Lock(); });", null)]
    [InlineData("Task t = Task.Run(() => { var held = segment.Lock(); });",
        "Task t = Task.Run(() => { using var held = segment.Lock(); });")]
    public async Task The_fix_disposes_at_the_end_of_the_block(string body, string? expected)
        => Assert.Equal(expected, await Code.Fix(body));

    [Fact]
    public void Each_rule_has_its_place_in_the_documents()
    {
        string root = typeof(AnalyzerTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(data => data.Key == "Repository").Value!;
        string page = File.ReadAllText(Path.Combine(root, "docs", "analyzers.md"));
        Assert.All(new[] { "NIPC001", "NIPC002", "NIPC003" },
            id => Assert.Contains($"## {id}", page, StringComparison.Ordinal));
    }
}
