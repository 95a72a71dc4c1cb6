using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace NativeIpc.Channels.Rings;

/// <summary>Pages that nobody may touch, right before and behind the mapping of a segment: an access outside it ends
/// the process.</summary>
internal static partial class Guards
{
    private const int PROT_NONE = 0, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, MAP_FIXED_NOREPLACE = 0x100000;
    private static readonly nint s_page = Environment.SystemPageSize;

    /// <summary>Opens a segment between two of them.</summary>
    public static T Open<T>(Func<T> open)
        where T : IDisposable
    {
        for (int tries = 0; tries < 100; tries++)
        {
            // The kernel takes the highest place that is free: below this one.
            nint above = mmap(0, s_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            Assert.NotEqual(-1, above);
            HashSet<nint> before = [.. Shared()];
            T opened = open();
            nint[] fresh = [.. Shared().Where(one => !before.Contains(one))];
            if (fresh.Length != 1)
            {
                opened.Dispose(); // another test has opened one at this moment
                continue;
            }

            (nint start, nint end, _) = Mappings().Single(one => one.Start == fresh[0]);
            _ = mmap(start - s_page, s_page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            if (IsClosed(start - s_page) && IsClosed(end)) return opened;
            opened.Dispose(); // another one has a place beside it; the page above stays, so that the next is elsewhere
        }

        throw new InvalidOperationException("No place with free pages on both sides.");
    }

    private static IEnumerable<nint> Shared()
        => Mappings().Where(one => one.Line.Split(' ')[1].EndsWith('s')).Select(one => one.Start);

    private static bool IsClosed(nint page)
        => Mappings().Any(one => one.Start <= page && page < one.End
            && one.Line.Contains(" ---p ", StringComparison.Ordinal));

    private static IEnumerable<(nint Start, nint End, string Line)> Mappings()
        => from line in File.ReadAllLines("/proc/self/maps")
           let ends = line[..line.IndexOf(' ', StringComparison.Ordinal)].Split('-')
           select (nint.Parse(ends[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture),
               nint.Parse(ends[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture), line);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint mmap(nint at, nint size, int protection, int flags, int file, nint offset);
}
