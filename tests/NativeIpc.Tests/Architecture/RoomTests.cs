using System.Reflection;
using System.Runtime.CompilerServices;
using NativeIpc.Inspection;
using Xunit;

namespace NativeIpc.Tests.Architecture;

/// <summary>That the rooms use one another as <see cref="Rooms"/> says, proved from both assemblies.</summary>
public class RoomTests
{
    private static readonly Assembly[] s_assemblies = [typeof(SharedMemory).Assembly, typeof(IpcObjects).Assembly];

    private static readonly Dictionary<string, IReadOnlyDictionary<string, string>> s_uses =
        s_assemblies.SelectMany(assembly => TypeUses.Of(assembly.Location)).Where(IsWritten).ToDictionary();

    /// <summary>Each type, and its room.</summary>
    private static readonly Dictionary<string, string> s_rooms =
        s_assemblies.SelectMany(assembly => TypeFiles.Of(assembly.Location))
            .Where(type => s_uses.ContainsKey(type.Key))
            .ToDictionary(type => type.Key, type => Assert.Single(type.Value.Select(RoomOf).Distinct()));

    private static string Root => Path.Combine(
        typeof(RoomTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(attribute => attribute.Key == "LibrarySources").Value!, "..", "..");

    [Fact]
    public void Every_type_has_a_room_and_every_room_has_types()
    {
        Assert.Equal(s_uses.Keys.Order(), s_rooms.Keys.Order());
        Assert.Equal(Rooms.s_table.Select(room => room.Name).Order(), s_rooms.Values.Distinct().Order());
    }

    [Fact]
    public void A_room_uses_only_what_the_table_lets_it() => Assert.Empty(Forbidden(s_uses, s_rooms, Rooms.s_table));

    [Fact]
    public void The_table_allows_nothing_that_no_room_uses()
    {
        HashSet<(string, string)> used = [.. s_uses.SelectMany(type => type.Value.Keys.Where(s_rooms.ContainsKey)
            .Select(other => (s_rooms[type.Key], s_rooms[other])))];
        Assert.Empty(Rooms.s_table.SelectMany(room => room.Uses.Where(other => !used.Contains((room.Name, other)))
            .Select(other => $"{room.Name} does not use {other}")));
    }

    [Fact]
    public void A_room_uses_only_lower_ones_so_there_are_no_circles()
    {
        List<string> lower = [];
        foreach (Rooms.Room room in Rooms.s_table)
        {
            Assert.Empty(room.Uses.Except(lower));
            Assert.DoesNotContain(room.Name, lower);
            lower.Add(room.Name);
        }
    }

    [Fact]
    public void The_table_of_the_design_is_this_one()
    {
        string file = Path.Combine(Root, "docs", "design.md");
        Assert.SkipUnless(File.Exists(file), $"no documents in {Root}");
        string[] written = [.. File.ReadLines(file).SkipWhile(line => line != "| Room | Holds | May use |").Skip(2)
            .TakeWhile(line => line.StartsWith('|')).Select(line => line.Split('|'))
            .Select(cells => cells[1].Trim(' ', '`') + ": "
                + cells[3].Replace("`", "", StringComparison.Ordinal).Trim())];
        Assert.Equal(
            Rooms.s_table.Select(room => $"{room.Name}: {(room.Uses is [] ? "–" : string.Join(", ", room.Uses))}"),
            written);
    }

    [Fact]
    public void The_classes_of_lock_recovery_have_no_circles()
        => Assert.Empty(Circles([.. s_rooms.Where(type => type.Value == "Posix/Recovery").Select(type => type.Key)]));

    [Fact]
    public void A_circle_of_classes_is_seen()
    {
        string[] found = [.. Circles(["NativeIpc.SharedMemory", "NativeIpc.SharedMemoryAccessScope"])];
        Assert.Equal(["NativeIpc.SharedMemory", "NativeIpc.SharedMemoryAccessScope"], found.Order());
    }

    [Fact]
    public void Each_use_is_forbidden_when_the_table_does_not_allow_it()
    {
        foreach (Rooms.Room room in Rooms.s_table)
        {
            foreach (string other in room.Uses)
            {
                Rooms.Room[] wrong = [.. Rooms.s_table.Select(one => one != room ? one
                    : room with { Uses = [.. room.Uses.Where(use => use != other)] })];
                string[] found = [.. Forbidden(s_uses, s_rooms, wrong)];
                Assert.NotEmpty(found);
                Assert.All(found, line => Assert.StartsWith($"{room.Name} may not use {other}: ", line,
                    StringComparison.Ordinal));
            }
        }
    }

    [Theory]
    [InlineData("Base")]
    [InlineData("Contract")]
    [InlineData("Field")]
    [InlineData("GenericArgument")]
    [InlineData("Constraint")]
    [InlineData("Attribute")]
    [InlineData("AttributeArgument")]
    [InlineData("Parameter")]
    [InlineData("StaticCall")]
    [InlineData("StaticField")]
    [InlineData("Lambda")]
    [InlineData("Iterator")]
    [InlineData("Async")]
    [InlineData("TypeOf")]
    [InlineData("Caught")]
    [InlineData("Local")]
    [InlineData("FunctionPointer")]
    [InlineData("Nested")]
    [InlineData("CallArgument")]
    public void A_use_of_every_kind_is_seen(string kind)
    {
        IReadOnlyDictionary<string, string> uses =
            TypeUses.Of(typeof(RoomTests).Assembly.Location)[$"{typeof(RoomSamples.Base).Namespace}.{kind}"];
        Assert.Contains(uses.Keys, used => used.StartsWith(typeof(RoomSamples.Low.Thing).Namespace!,
            StringComparison.Ordinal));
    }

    [Fact]
    public void A_type_that_uses_nothing_is_not_said_to()
    {
        string name = typeof(RoomSamples.Low.Thing).FullName!;
        Assert.DoesNotContain(TypeUses.Of(typeof(RoomTests).Assembly.Location)[name].Keys,
            used => used.StartsWith("NativeIpc.", StringComparison.Ordinal));
    }

    [Fact]
    public void The_namespace_of_an_internal_type_is_its_folder_and_public_types_have_that_of_the_assembly()
    {
        foreach (Type type in s_assemblies.SelectMany(assembly => assembly.GetTypes()))
        {
            if (type.IsNested || !s_rooms.TryGetValue(type.FullName!, out string? room)) continue;
            string assembly = type.Assembly.GetName().Name!;
            string folder = room == Rooms.Root ? assembly
                : $"NativeIpc.{room.Replace('/', '.')}"; // that of the other assembly begins with Inspection
            Assert.Equal((type.FullName, type.IsPublic ? assembly : folder), (type.FullName, type.Namespace));
        }
    }

    [Fact]
    public void At_the_root_is_nothing_but_public_types()
        => Assert.All(s_assemblies[0].GetTypes().Where(
            type => !type.IsNested && s_rooms.GetValueOrDefault(type.FullName!) == Rooms.Root),
            type => Assert.True(type.IsPublic, type.FullName));

    /// <summary>The rules of names are functions of what they are given.</summary>
    [Fact]
    public void Keys_ask_the_system_for_nothing()
    {
        string[] outside =
        [
            "System.Environment", "System.OperatingSystem", "System.DateTime", "System.DateTimeOffset",
            "System.TimeProvider", "System.Diagnostics.Process", "System.Diagnostics.Stopwatch",
            "System.IO.", "System.Runtime.InteropServices.RuntimeInf",
        ];
        Assert.Empty(s_uses.Where(type => s_rooms[type.Key] == "Keys").SelectMany(type => type.Value.Keys
            .Where(used => outside.Any(start => used.StartsWith(start, StringComparison.Ordinal)))
            .Select(used => $"{type.Key} uses {used} in {type.Value[used]}")));
    }

    [Fact]
    public void Internals_are_visible_to_inspection_and_three_test_assemblies_at_most()
    {
        foreach (Assembly assembly in s_assemblies)
        {
            string[] friends = [.. assembly.GetCustomAttributes<InternalsVisibleToAttribute>()
                .Select(friend => friend.AssemblyName).Where(name => name != "NativeIpc.Inspection")];
            Assert.InRange(friends.Length, 1, 3);
        }
    }

    /// <summary>What the compiler and its generators add has no source.</summary>
    private static bool IsWritten(KeyValuePair<string, IReadOnlyDictionary<string, string>> type)
        => type.Key.StartsWith("NativeIpc.", StringComparison.Ordinal);

    private static string RoomOf(string file)
    {
        int start = file.LastIndexOf("src/NativeIpc", StringComparison.Ordinal) + "src/NativeIpc".Length;
        string[] parts = file[start..].Split('/');
        string folder = string.Join('/', parts[1..^1]);
        return parts[0] == ".Inspection" ? folder.Length == 0 ? "Inspection" : $"Inspection/{folder}"
            : folder.Length == 0 ? Rooms.Root : folder;
    }

    private static IEnumerable<string> Forbidden(
        Dictionary<string, IReadOnlyDictionary<string, string>> uses, Dictionary<string, string> rooms,
        Rooms.Room[] table)
        => from type in uses
           from used in type.Value
           where rooms.ContainsKey(used.Key)
           let room = rooms[type.Key]
           let other = rooms[used.Key]
           where room != other && !table.Single(one => one.Name == room).Uses.Contains(other)
           select $"{room} may not use {other}: {type.Key} uses {used.Key} in {used.Value}";

    /// <summary>The types from which a way leads back to them, by types of the same set.</summary>
    private static IEnumerable<string> Circles(HashSet<string> types) => types.Where(type =>
    {
        HashSet<string> reached = [];
        Stack<string> next = new([type]);
        while (next.TryPop(out string? one))
        {
            foreach (string used in s_uses[one].Keys.Where(types.Contains).Where(reached.Add)) next.Push(used);
        }

        return reached.Contains(type);
    });
}
