namespace NativeIpc.Layouts.Writing;

/// <summary>What stands at one place of a struct in a declaration: a field, padding, or fields that overlap.</summary>
internal sealed class Member
{
    private int _alignment = 1;

    private Member(int offset, int end) => (Offset, End) = (offset, end);

    public int Offset { get; private set; }

    public int End { get; private set; }

    public int Size => End - Offset;

    /// <summary>None for padding, one, or all that overlap. Each may begin behind <see cref="Offset"/>.</summary>
    public List<LayoutField> Fields { get; } = [];

    /// <summary>All of a struct, without a gap: padding is a member of its own.</summary>
    public static List<Member> Of(LayoutStruct layout, LayoutSet types)
    {
        List<Member> members = [];
        foreach (LayoutField field in layout.Fields)
        {
            types.Measure(field.Type, out _, out int alignment);
            var member = new Member(field.Offset, field.Offset + types.SizeOf(field)) { _alignment = alignment };
            member.Fields.Add(field);
            members.Add(member);
            while (members.Count > 1 && members[^2].End > members[^1].Offset) Merge(members);
        }

        List<Member> all = [];
        int end = 0;
        foreach (Member member in members)
        {
            if (member.Offset > end) all.Add(new Member(end, member.Offset));
            all.Add(member);
            end = member.End;
        }

        if (layout.Size > end) all.Add(new Member(end, layout.Size));
        return all;
    }

    /// <summary>Makes one of the last two. A union begins at a multiple of its alignment and is as long as one, so it
    /// may reach into what stands before it.</summary>
    private static void Merge(List<Member> members)
    {
        Member whole = members[^2], last = members[^1];
        members.RemoveAt(members.Count - 1);
        if (last._alignment > whole._alignment) whole._alignment = last._alignment;
        if (last.End > whole.End) whole.End = last.End;
        whole.Offset = whole.Offset / whole._alignment * whole._alignment;
        whole.End = (whole.End + whole._alignment - 1) / whole._alignment * whole._alignment;
        whole.Fields.AddRange(last.Fields);
    }
}
