using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace NativeIpc.Tool.Tests;

/// <summary>The live views in a real terminal. Two of the screens are those of docs/nipc.md: they are written to
/// artifacts/nipc-screens, and the docs step of test.sh compares them.</summary>
public sealed partial class LiveViewTests
{
    private const string Objects = """
        "$NIPC" create shm posix:/camera 16M > /dev/null && "$NIPC" create sem posix:/workers 4 > /dev/null
        "$NIPC" create shm systemv:/run/user/1000/log 64k > /dev/null &&
            "$NIPC" create sem systemv:/run/user/1000/log 1 > /dev/null
        "$NIPC" create shm systemv:/run/user/1000/left 4096 > /dev/null && rm /run/user/1000/left && : > /dev/shm/half
        printf 'camera 7\200\7\0\0\70\4\0\0' | "$NIPC" write posix:/camera > /dev/null
        tail -f /dev/shm/camera > /dev/null &
        """;

    public LiveViewTests() => Assert.SkipUnless(TerminalScreen.WhyNot is null, TerminalScreen.WhyNot ?? "");

    [Fact]
    public void List_watches_what_comes_and_goes_until_it_is_interrupted()
    {
        using var terminal = new TerminalScreen(
            $"{Objects}\n\"$NIPC\" list --watch 200ms; echo \"ended with $?\"; exec cat", 110, 16);
        string screen = terminal.Await(
            screen => screen.Contains("posix:/camera", StringComparison.Ordinal)
                && screen.Contains("(tail)", StringComparison.Ordinal), "the list");
        Assert.StartsWith("6 objects, every 0.2s  /dev/shm ██░░░░░░░░░░░░░░░░░░ 16M of 256M\n", screen,
            StringComparison.Ordinal);
        Assert.EndsWith("\nEnter shows, / filters, r removes, q ends", screen, StringComparison.Ordinal);
        Assert.Matches(@"posix:/half +- +shm +0 .* \? +\d+s +empty", screen);
        Assert.Matches(@"\n0x51[0-9a-f]{6} +[0-9]+ +shm +4096 .* unused,no-key-file", screen);
        Keep("list", screen);

        // Made and removed by another window of the same terminal, which is in the same namespaces.
        terminal.Open("$NIPC create sem posix:/newcomer 9");
        terminal.Await(screen => screen.Contains("posix:/newcomer", StringComparison.Ordinal)
            && screen.StartsWith("7 objects", StringComparison.Ordinal), "the new object");
        terminal.Open("$NIPC rm posix:/newcomer");
        terminal.Await(screen => !screen.Contains("posix:/newcomer", StringComparison.Ordinal)
            && screen.StartsWith("6 objects", StringComparison.Ordinal), "the list without it");
        terminal.Press("C-c");
        terminal.Await(screen => screen.Contains("ended with 0", StringComparison.Ordinal), "the end");
    }

    [Fact]
    public void The_list_is_something_to_work_in()
    {
        using var terminal = new TerminalScreen(
            $"{Objects}\n\"$NIPC\" list --watch 200ms -s key; echo \"ended with $?\"; stty -a | grep -o ' -\\?echo '; "
                + $"exec cat", 110, 24);
        terminal.Await(screen => screen.Contains("(tail)", StringComparison.Ordinal), "the list");

        // Enter shows the chosen one.
        terminal.Press("Home", "Down");
        string Chosen(string key) => $"\u001b[7m{key} ";
        terminal.Await(screen => screen.Contains(Chosen("posix:/camera"), StringComparison.Ordinal),
            "the second one chosen", withEscapes: true);
        terminal.Press("Enter");
        string sheet = terminal.Await(
            screen => screen.Contains("\nsegment     posix:/camera\n", StringComparison.Ordinal), "its sheet");
        Assert.Contains("size        16777216 bytes", sheet, StringComparison.Ordinal);
        Assert.Contains("|camera 7....8...|", sheet, StringComparison.Ordinal);
        terminal.Press("PageDown");
        terminal.Await(screen => screen.Contains("\n00000120 ", StringComparison.Ordinal), "more of it");
        terminal.Press("Escape");

        // A text filters, and removing asks.
        terminal.Await(screen => screen.Contains("\nKEY ", StringComparison.Ordinal), "the list again");
        terminal.Press("/", "w", "o", "r", "k");
        terminal.Await(screen => screen.StartsWith("1 of 6 objects", StringComparison.Ordinal)
            && screen.EndsWith("\n/work", StringComparison.Ordinal), "what fits");
        terminal.Press("Enter", "r");
        terminal.Await(
            screen => screen.Contains("Remove semaphore posix:/workers? y removes it", StringComparison.Ordinal),
            "the question");
        terminal.Press("n");
        terminal.Await(screen => screen.Contains("r removes, q ends", StringComparison.Ordinal), "no for an answer");
        terminal.Press("r", "y");
        terminal.Await(screen => screen.StartsWith("0 of 5 objects", StringComparison.Ordinal)
            && screen.Contains("removed sem posix:/workers", StringComparison.Ordinal), "the removal");

        // What is in use stays.
        terminal.Press("/", "c", "a", "m", "Enter");
        terminal.Await(screen => screen.StartsWith("1 of 5 objects", StringComparison.Ordinal), "another filter");
        terminal.Press("r", "y");
        terminal.Await(screen => screen.Contains("posix:/camera is in use by", StringComparison.Ordinal),
            "the refusal");
        terminal.Press("q");
        terminal.Await(screen => screen.Contains("ended with 0\n echo", StringComparison.Ordinal),
            "the end, with the terminal as it was");
    }

    [Fact]
    public void A_semaphore_has_a_history_and_only_what_changes_is_drawn()
    {
        string record = Path.Combine(Path.GetTempPath(), NativeIpc.Testing.TestNames.NextName());
        try
        {
            using var terminal = new TerminalScreen(
                "\"$NIPC\" create sem posix:/count 8 > /dev/null; : > /dev/shm/go; read x; \"$NIPC\" list --watch "
                    + "50ms -s key; exec cat", 100, 12);
            terminal.RecordTo(record);
            terminal.Press("Enter");
            terminal.Await(screen => screen.Contains("█ 8 to 8 in ", StringComparison.Ordinal), "its history");
            terminal.Open("$NIPC acquire posix:/count -n 6");
            terminal.Await(screen => screen.Contains("█▂", StringComparison.Ordinal)
                && screen.Contains(" 2 to 8 in ", StringComparison.Ordinal), "the new count");
            terminal.Await(screen => screen.Contains(" in 24 looks", StringComparison.Ordinal), "a full history");
            terminal.Press("q");
            string written = File.ReadAllText(record);
            Assert.Single(Regex.Matches(written, "KEY "));
            // When it came, when its colour went, and when another one was chosen
            Assert.InRange(Regex.Count(written, "posix:/go"), 1, 3);
            Assert.InRange(Regex.Count(written, "every"), 1, 1);
        }
        finally
        {
            File.Delete(record);
        }
    }

    [Fact]
    public void A_stopped_list_gives_the_terminal_back_meanwhile()
    {
        using var terminal = new TerminalScreen("exec bash --norc -i", 80, 8);
        terminal.Press("echo before; $NIPC list --watch", "Enter");
        terminal.Await(screen => screen.StartsWith("0 objects", StringComparison.Ordinal), "the list");
        terminal.Press("C-z");
        terminal.Await(screen => screen.Contains("before", StringComparison.Ordinal)
            && screen.Contains("Stopped", StringComparison.Ordinal), "what was there before");
        terminal.Press("fg", "Enter");
        terminal.Await(screen => screen.StartsWith("0 objects", StringComparison.Ordinal)
            && screen.Contains("q ends", StringComparison.Ordinal), "the list again");
        terminal.Press("q");
        terminal.Await(screen => screen.Contains("before", StringComparison.Ordinal)
            && !screen.Contains("q ends", StringComparison.Ordinal), "the end");
    }

    [Fact]
    public void A_view_that_goes_on_after_a_stop_is_there_before_its_next_look()
    {
        using var terminal = new TerminalScreen("exec bash --norc -i", 90, 24);
        terminal.Press("printf abc > /dev/shm/x; $NIPC show posix:/x --watch 10000", "Enter");
        terminal.Await(screen => screen.Contains("|abc|", StringComparison.Ordinal), "the bytes");
        terminal.Press("C-z");
        terminal.Await(screen => screen.Contains("Stopped", StringComparison.Ordinal), "the stop");
        terminal.Press("fg", "Enter");
        terminal.Await(screen => screen.Contains("|abc|", StringComparison.Ordinal)
            && !screen.Contains("Stopped", StringComparison.Ordinal), "the bytes again");
        terminal.Press("C-c");
        terminal.Await(screen => screen.Contains("Stopped", StringComparison.Ordinal), "the end");
    }

    [Fact]
    public void A_list_that_is_longer_than_the_screen_says_how_many_are_left_out()
    {
        using var terminal = new TerminalScreen(
            "for i in 1 2 3 4 5 6 7 8 9; do : > /dev/shm/object$i; done; \"$NIPC\" list --watch; exec cat", 80, 8);
        string screen = terminal.Await(screen => screen.Contains("… and 5 more", StringComparison.Ordinal), "the rest");
        Assert.Equal(4, screen.Split('\n')
            .Count(line => line.Contains("object", StringComparison.Ordinal)
                && line.Contains("posix:", StringComparison.Ordinal)));
    }

    [Fact]
    public void Show_marks_the_bytes_that_changed()
    {
        using var terminal = new TerminalScreen(
            $"{Objects}\n\"$NIPC\" show posix:/camera --struct 'char[8] name@0, u32 width, u32 height' --length 48 "
                + $"--watch 200ms; echo \"ended with $?\"; exec cat", 90, 26);
        string screen = terminal.Await(screen => screen.Contains("00000020", StringComparison.Ordinal), "the dump");
        Assert.Contains("|camera 7....8...|", screen, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^width +1920$", screen);
        Keep("show", screen);
        string marked = "\u001b[7m31\u001b[0m";
        Assert.DoesNotContain(marked, terminal.Capture(withEscapes: true), StringComparison.Ordinal);

        // The mark is there for one look; a counter that runs keeps it there.
        terminal.Open("i=0; while :; do i=$((i + 1)); printf \\\\001\\\\$((i % 2)) | $NIPC write posix:/camera "
            + "--offset 36 || exit; done");
        string seen = terminal.Await(screen => Marked().IsMatch(screen), "a marked byte", withEscapes: true);
        Assert.Matches(@"00000020  00 00 00 00 ", seen);
        terminal.Press("C-c");
        terminal.Await(screen => screen.Contains("ended with 0", StringComparison.Ordinal), "the end");
    }

    [Fact]
    public void Show_goes_on_when_a_segment_comes_back_with_another_layout()
    {
        string folder = Directory.CreateTempSubdirectory("nipc-live-").FullName;
        try
        {
            string description = LayoutTests.OfDocument(), layout = Path.Combine(folder, "layout");
            File.WriteAllText(layout, description);
            byte[] segment = new byte[64 + 80];
            LayoutTests.WriteHead(segment);
            File.WriteAllBytes(Path.Combine(folder, "same"), segment);
            segment[4]++; // another version
            File.WriteAllBytes(Path.Combine(folder, "other"), segment);
            string put = $"cp {folder}/$1 /dev/shm/new && mv /dev/shm/new /dev/shm/frames";
            using var terminal = new TerminalScreen(put.Replace("$1", "same", StringComparison.Ordinal)
                + $"; \"$NIPC\" show posix:/frames -L {layout} --watch 50ms; echo \"ended with $?\"; exec cat",
                200, 40);
            terminal.Await(HasFields, "the fields");
            terminal.Open(put.Replace("$1", "other", StringComparison.Ordinal));
            terminal.Await(screen => !HasFields(screen) && screen.Contains($"has another layout than those of {layout}",
                StringComparison.Ordinal), "the other layout");
            terminal.Open(put.Replace("$1", "same", StringComparison.Ordinal));
            terminal.Await(HasFields, "the fields again");
            terminal.Press("C-c");
            terminal.Await(screen => screen.Contains("ended with 0", StringComparison.Ordinal), "the end");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static bool HasFields(string screen) => screen.Contains("\nSequence    0\n", StringComparison.Ordinal);
    }

    /// <summary>Writes a screen for the docs step, with what differs from run to run made alike: process ids, ids, ages
    /// and times.</summary>
    private static void Keep(string name, string screen)
    {
        string folder = Path.Combine(typeof(LiveViewTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .Single(data => data.Key == "ToolSources").Value!, "../../artifacts/nipc-screens");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, name + ".txt"), Alike(screen) + "\n");
    }

    private static string Alike(string screen)
    {
        screen = PidWithName().Replace(screen, match => $"4711{match.Groups[1].Value}".PadRight(match.Length));
        screen = PidOfUser().Replace(screen, "4711");
        screen = PidInWords().Replace(screen, match => "pid 4712".PadRight(match.Length));
        screen = Key().Replace(screen, "0x51002a07");
        screen = Time().Replace(screen, "2026-11-25 12:00:00 +00:00 (1s ago)");
        return Age().Replace(screen, match => "1s".PadRight(match.Length));
    }

    [GeneratedRegex("\u001b\\[7m0[01]")]
    private static partial Regex Marked();

    [GeneratedRegex(@"\b\d+(\(\w+\))")]
    private static partial Regex PidWithName();

    [GeneratedRegex(@"(?<=^            )\d+(?= \w+$)", RegexOptions.Multiline)]
    private static partial Regex PidOfUser();

    [GeneratedRegex(@"pid \d+")]
    private static partial Regex PidInWords();

    [GeneratedRegex("0x51[0-9a-f]{6}")]
    private static partial Regex Key();

    [GeneratedRegex(@"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d\d:\d\d \(\d+\w ago\)")]
    private static partial Regex Time();

    [GeneratedRegex(@"(?<= )\d+s(?= +(-|unused|lock|empty|removed|legacy))")]
    private static partial Regex Age();
}
