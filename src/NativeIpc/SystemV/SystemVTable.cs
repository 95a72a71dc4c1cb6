using System.Globalization;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.SystemV;

/// <summary>The kernel's tables of System V objects, <c>/proc/sysvipc/shm</c> and <c>sem</c>: every object of the IPC
/// namespace, whatever its mode. Linux.</summary>
internal static class SystemVTable
{
    internal const string Folder = "/proc/sysvipc";


    /// <summary>One line. The columns that one kind has and the other has not are 0.</summary>
    internal readonly record struct Row(
        IpcObjectKind Kind, int Key, int Id, uint Mode, long Size, int CreatorProcess, int LastProcess, int Attached,
        uint Uid, uint Gid, uint CreatorUid, int Count, long LastUse, long Change)
    {
        internal UnixFileMode Permissions => SystemVSupport.PermissionsOf(Mode);

        /// <summary>Marked to be destroyed with the last detach.</summary>
        internal bool IsRemoved => Kind == IpcObjectKind.SharedMemory && (Mode & Flags.SHM_DEST) != 0;
    }

    /// <summary>Reads a table; the system may not have it, or not let it be read.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    internal static List<Row> Read(IpcObjectKind kind)
    {
        List<Row> rows = [];
        bool isSegment = kind == IpcObjectKind.SharedMemory;
        Span<long> fields = stackalloc long[16];
        string path = $"{Folder}/{(isSegment ? "shm" : "sem")}";
        string text = Libc.TextOf(path, out int number, int.MaxValue) ?? throw Unreadable(path, number);
        foreach (string line in SystemText.LinesOf(text))
        {
            int count = Split(line, fields);
            if (count < (isSegment ? 14 : 10)) continue; // the head line has no numbers
            rows.Add(isSegment
                ? new Row(kind, (int)fields[0], (int)fields[1], (uint)fields[2], fields[3], (int)fields[4],
                    (int)fields[5], (int)fields[6],
                    (uint)fields[7], (uint)fields[8], (uint)fields[9], 0, Math.Max(fields[11], fields[12]), fields[13])
                : new Row(kind, (int)fields[0], (int)fields[1], (uint)fields[2], 0, 0, 0, 0,
                    (uint)fields[4], (uint)fields[5], (uint)fields[6], (int)fields[3], fields[8], fields[9]));
        }

        return rows;
    }

    private static Exception Unreadable(string path, int number)
    {
        string message = $"{path}: {Marshal.GetPInvokeErrorMessage(number)}";
        return number is Errno.EACCES or Errno.EPERM
            ? new UnauthorizedAccessException(message) : new IOException(message, number);
    }

    /// <summary>The numbers of a line; the third is octal. 0 when it has anything else.</summary>
    private static int Split(string line, Span<long> fields)
    {
        int count = 0;
        foreach (Range range in line.AsSpan().Split(' '))
        {
            ReadOnlySpan<char> field = line.AsSpan(range);
            if (field.IsEmpty) continue;
            if (count == fields.Length) break;
            if (count == 2)
            {
                long mode = 0;
                foreach (char digit in field)
                {
                    if (digit is < '0' or > '7') return 0;
                    mode = (mode * 8) + (digit - '0');
                }

                fields[count++] = mode;
            }
            else if (!long.TryParse(field, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture,
                out fields[count++]))
            {
                return 0;
            }
        }

        return count;
    }
}
