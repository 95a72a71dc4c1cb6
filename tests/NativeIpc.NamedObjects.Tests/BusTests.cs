using System.Globalization;
using Xunit;

namespace NativeIpc.NamedObjects.Tests;

/// <summary>A message bus that was written for Windows: samples/dotnet/BusOnWindowsApi, on Linux by the package, and on
/// Windows (Wine) by .NET's own types.</summary>
public sealed class BusTests : NamedObjectTests
{
    [Fact]
    public void What_one_publishes_all_receive_in_one_order()
    {
        string name = NextName();
        PeerProcess[] members = [Member(name), Member(name), Member(name)];
        foreach (PeerProcess member in members) member.Post($"publish m{member.Id} 100");
        foreach (PeerProcess member in members) member.Answer();
        foreach (PeerProcess member in members) Assert.Equal("300 0", member.Ask("receive 300 30000"));
        foreach (PeerProcess member in members) Assert.Equal("0 0", member.Ask("receive 1 0"));
    }

    [Fact]
    public void Who_joins_later_receives_what_comes_later()
    {
        string name = NextName();
        PeerProcess first = Member(name);
        first.Ask("publish early 10");
        PeerProcess second = Member(name);
        first.Ask("publish late 5");
        Assert.Equal("5 0", second.Ask("receive 5 30000"));
        Assert.Equal("0 0", second.Ask("receive 1 0"));
        Assert.Equal("15 0", first.Ask("receive 15 30000"));
    }

    [Fact]
    public void A_message_ends_a_wait_and_so_does_the_end_of_the_bus()
    {
        string name = NextName();
        PeerProcess publisher = Member(name), waiter = Member(name);
        waiter.Post("receive 1 60000");
        publisher.Ask("publish one 1");
        Assert.Equal("1 0", waiter.Answer());
        waiter.Post("receive 1 60000");
        publisher.Ask("close");
        Assert.Equal("0 0", waiter.Answer());
    }

    [Fact]
    [Slow]
    public void Members_that_are_killed_at_random_moments_take_nothing_with_them()
    {
        const int kills = 12;
        string name = NextName();
        PeerProcess first = Member(name), second = Member(name);
        var random = new Random(17);
        for (int kill = 0; kill < kills; kill++)
        {
            PeerProcess victim = Member(name);
            victim.Post($"endless v{victim.Id}");
            victim.Await("endless");
            int received = random.Next(1, 200);
            Assert.Equal(received, Received(first, $"receive {received} 60000")); // it is publishing
            victim.Kill();
            _ = Received(first, "receive 1000000 0");
            _ = Received(second, "receive 1000000 0");
            first.Ask($"publish f{kill} 10");
            second.Ask($"publish s{kill} 10");
            Assert.Equal(20, Received(first, "receive 20 60000"));
            Assert.Equal(20, Received(second, "receive 20 60000"));
        }
    }

    [Fact]
    public void The_bus_ends_with_its_last_member_also_a_killed_one()
    {
        string name = NextName();
        PeerProcess first = Member(name), second = Member(name);
        first.Ask("publish old 10");
        first.Kill();
        second.Kill();
        PeerProcess next = Member(name);
        Assert.Equal("0 0", next.Ask("receive 1 0"));
        next.Ask("publish new 3");
        Assert.Equal("3 0", next.Ask("receive 3 30000"));
        next.Ask("leave");
        Assert.DoesNotContain(FilesOf(name), file => !file.Contains("pending", StringComparison.Ordinal));
    }

    private PeerProcess Member(string name)
    {
        PeerProcess member = Start("BusOnWindowsApi", "BusFolder", name);
        member.Ask("join");
        return member;
    }

    private static int Received(PeerProcess member, string command)
        => int.Parse(member.Ask(command).Split(' ')[0], CultureInfo.InvariantCulture);
}
