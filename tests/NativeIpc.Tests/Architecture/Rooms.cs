namespace NativeIpc.Tests.Architecture;

/// <summary>
/// The rooms of the house, and which other rooms each may use: nothing else. A room is a folder of src/NativeIpc, or,
/// after <c>Inspection</c>, one of src/NativeIpc.Inspection. From the lowest to the highest: a room uses only what
/// stands above it here, so there are no circles. <c>docs/design.md</c> says what each holds; <see cref="RoomTests"/>
/// proves this table from the assemblies.
/// </summary>
internal static class Rooms
{
    /// <summary>SharedMemory, SystemSemaphore, SystemEvent and what they hand out.</summary>
    internal const string Root = "(root)";

    internal static readonly Room[] s_table =
    [
        // Leaves: numbers, text, choices.
        new("Interop/Unix"),
        new("Interop/Windows"),
        new("Interop", "Interop/Unix"),
        new("Options"),
        new("Locks"),
        new("Platform", "Interop/Unix"),
        new("Keys", "Platform"),
        new("Errors", "Keys"),

        // What every back end needs.
        new("Waiting/Bounds", "Interop/Unix", "Interop"),
        new("Lifetime", "Interop/Unix", "Platform", "Keys", "Errors", "Waiting/Bounds"),
        new("Linux", "Interop/Unix", "Interop", "Options", "Platform", "Keys", "Errors", "Waiting/Bounds", "Lifetime"),
        new("Waiting", "Interop/Unix", "Keys", "Errors", "Waiting/Bounds", "Linux"),
        new("Contracts", "Options", "Locks", "Keys", "Errors", "Waiting/Bounds", "Lifetime", "Waiting"),

        // POSIX, from the name up to the segment with its lock.
        new("Posix/Names", "Interop/Unix", "Options", "Platform", "Keys", "Errors", "Waiting/Bounds", "Lifetime",
            "Linux"),
        new("Posix/Words", "Interop/Unix", "Keys", "Errors", "Lifetime", "Linux"),
        new("Posix/Users", "Interop/Unix", "Options", "Platform", "Keys", "Errors", "Waiting/Bounds", "Lifetime",
            "Linux", "Posix/Names", "Posix/Words"),
        new("Posix/Recovery", "Interop/Unix", "Locks", "Keys", "Errors", "Waiting/Bounds", "Lifetime", "Linux",
            "Posix/Words"),
        new("Posix/Permits", "Interop/Unix", "Keys", "Errors", "Waiting/Bounds", "Lifetime", "Posix/Names",
            "Posix/Words"),
        new("Posix/Semaphores", "Interop/Unix", "Options", "Locks", "Platform", "Keys", "Errors", "Waiting/Bounds",
            "Lifetime", "Linux", "Waiting", "Contracts", "Posix/Names", "Posix/Words", "Posix/Users", "Posix/Recovery",
            "Posix/Permits"),
        new("Posix/Events", "Interop/Unix", "Options", "Platform", "Keys", "Errors", "Waiting/Bounds", "Lifetime",
            "Linux", "Waiting", "Contracts", "Posix/Names", "Posix/Words", "Posix/Users"),
        new("Posix/Segments", "Interop/Unix", "Options", "Platform", "Keys", "Errors", "Waiting/Bounds", "Lifetime",
            "Linux", "Contracts", "Posix/Names", "Posix/Users", "Posix/Semaphores"),

        new("SystemV", "Interop/Unix", "Interop", "Options", "Locks", "Platform", "Keys", "Errors", "Waiting/Bounds",
            "Lifetime", "Linux", "Waiting", "Contracts"),
        new("Windows", "Interop/Windows", "Interop", "Options", "Locks", "Platform", "Keys", "Errors", "Waiting/Bounds",
            "Lifetime", "Waiting", "Contracts"),

        // What chooses a back end, waits without a thread, and is public.
        new("Selection", "Keys", "Errors", "Contracts", "Posix/Semaphores", "Posix/Events", "Posix/Segments", "SystemV",
            "Windows"),
        new("Waiting/Async", "Interop/Unix", "Interop", "Keys", "Errors", "Waiting/Bounds", "Lifetime", "Linux",
            "Waiting", "Contracts", "Posix/Words"),
        new("Holding", "Keys", "Errors", "Linux", "Contracts", "Waiting/Async"),
        new(Root, "Options", "Locks", "Platform", "Keys", "Errors", "Waiting/Bounds", "Lifetime", "Waiting",
            "Contracts", "Selection", "Waiting/Async", "Holding"),

        // The other assembly: what looks at the objects of the machine.
        new("Inspection/Sequences"),
        new("Inspection/Objects", "Keys", "Inspection/Sequences"),
        new("Inspection/Options", "Keys"),
        new("Inspection/Findings", "Inspection/Objects"),
        new("Inspection/Processes", "Interop/Unix", "Platform", "Linux", "Inspection/Sequences", "Inspection/Objects"),
        new("Inspection/Looks", "Interop/Unix", "Options", "Platform", "Keys", "Errors", "Lifetime", "Linux",
            "Contracts", "Inspection/Sequences", "Inspection/Objects", "Inspection/Options", "Inspection/Findings",
            "Inspection/Processes"),
        new("Inspection/Posix", "Interop/Unix", "Platform", "Keys", "Errors", "Waiting/Bounds", "Lifetime", "Linux",
            "Posix/Names", "Posix/Words", "Posix/Users", "Posix/Permits", "Posix/Semaphores", "Inspection/Sequences",
            "Inspection/Objects", "Inspection/Options", "Inspection/Findings", "Inspection/Processes",
            "Inspection/Looks"),
        new("Inspection/SystemV", "Interop/Unix", "Options", "Platform", "Keys", "Errors", "Lifetime", "Linux",
            "Contracts", "SystemV", "Inspection/Sequences", "Inspection/Objects", "Inspection/Options",
            "Inspection/Findings", "Inspection/Processes", "Inspection/Looks"),
        new("Inspection/Windows", "Interop/Windows", "Platform", "Keys", "Errors", "Windows", "Inspection/Sequences",
            "Inspection/Objects", "Inspection/Options", "Inspection/Findings", "Inspection/Looks"),
        new("Inspection", "Options", "Keys", "Errors", "Contracts", "Selection", Root, "Inspection/Sequences",
            "Inspection/Objects", "Inspection/Options", "Inspection/Findings", "Inspection/Looks", "Inspection/Posix",
            "Inspection/SystemV", "Inspection/Windows"),
    ];

    internal sealed record Room(string Name, params string[] Uses);
}
