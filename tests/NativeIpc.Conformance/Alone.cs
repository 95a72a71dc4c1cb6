using Xunit;

namespace NativeIpc.Conformance;

/// <summary>Tests that count what this process has (mappings, descriptors, threads), or who uses an object: they run
/// when no others do, since others open things and start processes, whose child has everything open until it
/// executes.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
