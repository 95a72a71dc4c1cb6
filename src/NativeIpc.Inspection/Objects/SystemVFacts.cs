namespace NativeIpc.Inspection.Objects;

/// <summary>What only System V tells of an object, for the properties of <see cref="IpcObjectInfo"/> with these
/// names.</summary>
internal sealed record SystemVFacts
{
    public int? Id { get; init; }

    public int? Key { get; init; }

    public string? KeyFile { get; init; }

    public int? MemberCount { get; init; }

    public IReadOnlyList<IpcSetMember> Members { get; init; } = [];

    public long? CreatorId { get; init; }

    public int? CreatorProcessId { get; init; }

    public int? LastProcessId { get; init; }

    /// <summary>The same with the members of another look.</summary>
    internal SystemVFacts WithMembersOf(SystemVFacts? other) => this with { Members = other?.Members ?? [] };
}
