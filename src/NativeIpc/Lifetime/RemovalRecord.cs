using System.Buffers.Text;
using System.Globalization;
using System.Text;
using NativeIpc.Interop.Unix;
using NativeIpc.Platform;

namespace NativeIpc.Lifetime;

/// <summary>
/// What is recorded of an object's removal: that it is to be removed with its users, and by which process. It stands in
/// an extended attribute (xattr(7)) of the POSIX object's own file, or of the System V key file, so it goes with the
/// object, needs no name of its own, and is seen in every mount namespace that sees the object. Linux.
/// </summary>
/// <remarks>
/// <para>One line of text, which <c>getfattr -d</c> shows: the start of the boot's id, PID namespace, time namespace,
/// process, its start in ticks since the boot; for System V also the id. All numbers are hexadecimal.</para>
/// <para>No record means nothing: tmpfs has such attributes since Linux 6.6, and a file system, a filter or a limit may
/// refuse them. A record is no proof that an object is unused, and whoever may write the file may write a record: it
/// only says who was to remove it, and the kernel is asked as well whether anybody has it open.</para>
/// <para>R1 Race: a maker takes an object over while a record is read.
/// Safe because: it has the object open then, so the object is not unused; a removal asks that again.</para>
/// </remarks>
internal static class RemovalRecord
{
    private const int Longest = 128;
    private const int BootDigits = 10; // of 32: chance does not repeat them

    private static readonly Lazy<string?> s_place = new(FindPlace);
    private static readonly Lazy<byte[]?> s_self = new(FindSelf);

    private static bool s_isRefused; // by the file system of POSIX objects, which does not change

    private static ReadOnlySpan<byte> NameBytes => "user.nativeipc\0"u8;

    /// <summary>Records that this process has to remove a POSIX object. Where that is refused, there is no
    /// record.</summary>
    internal static void Write(int file)
    {
        if (!OperatingSystem.IsLinux() || Volatile.Read(ref s_isRefused) || s_self.Value is not { } self) return;
        if (Libc.SetAttribute(file, NameBytes, self) == Errno.EOPNOTSUPP) Volatile.Write(ref s_isRefused, true);
    }

    /// <summary>Records that this process has to remove a System V object.</summary>
    /// <param name="keyFile">Its key file.</param>
    /// <param name="kind">A segment, or its lock.</param>
    /// <param name="project">The project id of the key.</param>
    /// <param name="id">The object.</param>
    internal static void Write(int keyFile, IpcObjectKind kind, int project, int id)
    {
        if (!OperatingSystem.IsLinux() || s_self.Value is not { } self) return;
        Span<byte> name = stackalloc byte[Longest], value = stackalloc byte[Longest];
        self.CopyTo(value);
        value[self.Length] = (byte)' ';
        _ = Utf8Formatter.TryFormat(id, value[(self.Length + 1)..], out int digits, 'x');
        _ = Libc.SetAttribute(keyFile, NameOf(kind, project, name), value[..(self.Length + 1 + digits)]);
    }

    /// <summary>Takes the record away: the object is to be kept.</summary>
    internal static void Erase(int file)
    {
        if (OperatingSystem.IsLinux() && !Volatile.Read(ref s_isRefused)) Libc.RemoveAttribute(file, NameBytes);
    }

    /// <summary>The same for a System V object.</summary>
    internal static void Erase(int keyFile, IpcObjectKind kind, int project)
    {
        if (!OperatingSystem.IsLinux()) return;
        Span<byte> name = stackalloc byte[Longest];
        Libc.RemoveAttribute(keyFile, NameOf(kind, project, name));
    }

    /// <summary>The process that has to remove a POSIX object.</summary>
    internal static Maker Read(string path) => Read(path, NameBytes, id: null);

    /// <summary>The process that has to remove a System V object.</summary>
    internal static Maker Read(string keyFile, IpcObjectKind kind, int project, int id)
    {
        Span<byte> name = stackalloc byte[Longest];
        return Read(keyFile, NameOf(kind, project, name), id);
    }

    // One key file may lead to several objects: user.nativeipc81 for a segment, user.nativeipc81s for its lock.
    private static ReadOnlySpan<byte> NameOf(IpcObjectKind kind, int project, Span<byte> buffer)
    {
        int length = NameBytes.Length - 1;
        NameBytes[..length].CopyTo(buffer);
        _ = Utf8Formatter.TryFormat(project & 0xFF, buffer[length..], out int digits);
        length += digits;
        if (kind == IpcObjectKind.SystemSemaphore) buffer[length++] = (byte)'s';
        buffer[length] = 0;
        return buffer[..(length + 1)];
    }

    private static Maker Read(string path, ReadOnlySpan<byte> name, int? id)
    {
        if (!OperatingSystem.IsLinux()) return default;
        Span<byte> value = stackalloc byte[Longest];
        int length = Libc.ReadAttribute(path, name, value);
        return length <= 0 ? default : Parse(Encoding.ASCII.GetString(value[..length]), id);
    }

    /// <summary>What a record says; nothing when it is none, or that of another segment.</summary>
    internal static Maker Parse(string text, int? id)
    {
        if (text.Split(' ') is not [var boot, var processes, var times, var number, var start, .. var rest])
            return default;
        if (rest.Length != (id is null ? 0 : 1)) return default;
        if (id is { } wanted && (!TryParse(rest[0], out long recorded) || recorded != wanted)) return default;
        return TryParse(number, out long process) && process is > 0 and <= int.MaxValue
            && TryParse(start, out long ticks)
            ? new Maker($"{boot} {processes} {times}", (int)process, ticks) : default;
    }

    private static bool TryParse(string text, out long number)
        => long.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number);

    /// <summary>The process that has to remove an object; <c>default</c> for none that is recorded.</summary>
    /// <param name="Place">In which boot and namespaces its number and start count.</param>
    /// <param name="Process">Its number.</param>
    /// <param name="Start">When it was started.</param>
    internal readonly record struct Maker(string? Place, int Process, long Start)
    {
        /// <summary>Whether one is recorded.</summary>
        public bool IsKnown => Place is not null;

        /// <summary>Whether it lives; null where that cannot be told: it is one of another boot or namespace, or the
        /// system does not show it.</summary>
        public bool? Lives
        {
            get
            {
                if (Place is null || Place != s_place.Value) return null;
                if (!Libc.HasProcess(Process)) return false;
                if (!Stat.TryRead(string.Create(CultureInfo.InvariantCulture, $"/proc/{Process}/stat"), out Stat now))
                    return null;
                return now.Start == Start && !now.IsOver;
            }
        }
    }

    /// <summary>The boot and the namespaces of this process; null where /proc does not tell them, or is not that of
    /// this process's PID namespace, so that its numbers mean others.</summary>
    private static string? FindPlace()
    {
        if (!OperatingSystem.IsLinux()
            || Libc.LinkText("/proc/self") != Environment.ProcessId.ToString(CultureInfo.InvariantCulture)) return null;
        string? boot = SystemText.FirstLine("/proc/sys/kernel/random/boot_id")?.Replace("-", "",
            StringComparison.Ordinal);
        if (boot is not { Length: > BootDigits } || Inode("pid") is not { } processes) return null;
        string times = Inode("time") ?? "0"; // before Linux 5.6 there is one only
        return $"{boot[..BootDigits]} {processes} {times}";
    }

    private static string? Inode(string kind)
    {
        string? text = Libc.LinkText($"/proc/self/ns/{kind}"); // pid:[4026531836]
        return text is not null && text.Split('[') is [_, var digits]
            && long.TryParse(digits.AsSpan().TrimEnd(']'), NumberStyles.None, CultureInfo.InvariantCulture,
                out long inode)
            ? inode.ToString("x", CultureInfo.InvariantCulture) : null;
    }

    /// <summary>The record of this process, without the id of an object.</summary>
    private static byte[]? FindSelf()
        => s_place.Value is { } place && Stat.TryRead("/proc/self/stat", out Stat self)
            ? Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
                $"{place} {Environment.ProcessId:x} {self.Start:x}")) : null;

    /// <summary>What <c>/proc/PID/stat</c> tells (proc(5)).</summary>
    /// <param name="Start">When the process was started, in ticks since the boot.</param>
    /// <param name="IsOver">Whether it has ended, with all its threads, and only waits for its parent to hear.</param>
    internal readonly record struct Stat(long Start, bool IsOver)
    {
        private const int StateField = 3;
        private const int ThreadsField = 20;
        private const int StartField = 22;

        internal static bool TryRead(string path, out Stat stat)
        {
            stat = default;
            return SystemText.FirstLine(path) is { } line && TryParse(line, out stat);
        }

        internal static bool TryParse(string line, out Stat stat)
        {
            stat = default;
            int end = line.LastIndexOf(')'); // of the name, which may hold anything
            string[] fields = end < 0 ? [] : line[(end + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length <= StartField - StateField) return false;
            if (!long.TryParse(fields[StartField - StateField], NumberStyles.None, CultureInfo.InvariantCulture,
                out long start))
                return false;
            stat = new Stat(start, fields[0] is "Z" or "X" && fields[ThreadsField - StateField] is "0" or "1");
            return true;
        }
    }
}
