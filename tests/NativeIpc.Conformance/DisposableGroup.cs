namespace NativeIpc.Conformance;

/// <summary>What a test made, to be disposed together.</summary>
internal sealed class DisposableGroup : IDisposable
{
    private readonly List<IDisposable> _members = [];

    public T Add<T>(T member)
        where T : IDisposable
    {
        _members.Add(member);
        return member;
    }

    public void Dispose()
    {
        foreach (IDisposable member in _members) member.Dispose();
    }
}
