using Xunit;

namespace NativeIpc.WindowsTests;

/// <summary>Tests that look at all named objects, and so open each for a moment: they run when no others do, which may
/// be closing the last handle of one.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
