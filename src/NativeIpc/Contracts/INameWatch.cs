namespace NativeIpc.Contracts;

/// <summary>Tells whether a name has stopped leading to what it led to.</summary>
internal interface INameWatch : IDisposable
{
    /// <summary>True once the name was removed, or leads elsewhere. Never goes back to false.</summary>
    bool HasChanged { get; }

    /// <summary>Whether a change will be told (NameChanges), so that nobody has to ask until then.</summary>
    bool IsTold { get; }
}
