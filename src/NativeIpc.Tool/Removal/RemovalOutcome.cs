using NativeIpc.Inspection;
using NativeIpc.Tool.Arguments;
using NativeIpc.Tool.Objects;
using NativeIpc.Tool.Output;

namespace NativeIpc.Tool.Removal;

/// <summary>What became of one object.</summary>
internal sealed record RemovalOutcome(
    string Name, string? Kind, string Outcome, IReadOnlyList<UserReport>? Users = null, string? Message = null,
    IReadOnlyList<string>? Evidence = null)
    : IJsonRecord
{
    public NativeIpcKey? Key { get; init; }

    public int? Id { get; init; }

    public void WriteTo(JsonFields json)
    {
        json.Add("name", Name);
        json.Add("kind", Kind);
        json.Add("outcome", Outcome);
        json.Add("users", Users);
        json.Add("message", Message);
        json.Add("evidence", Evidence);
        json.Add("key", Key);
        json.Add("id", Id);
    }

    public static RemovalOutcome Of(IpcObjectInfo found, string outcome, string? message = null)
        => new(NamedObject.NameOf(found), KeyOptions.WordOf(found.Kind), outcome, Message: message)
        {
            Key = found.Key.IsValid ? found.Key : null, Id = found.SystemVId,
        };
}

/// <summary>What <c>rm --json</c> prints.</summary>
internal sealed record RemovalList(IReadOnlyList<RemovalOutcome> Outcomes) : IJsonRecord
{
    public void WriteTo(JsonFields json)
    {
        json.Add("outcomes", Outcomes);
    }
}
