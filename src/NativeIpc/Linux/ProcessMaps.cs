using System.Buffers.Text;
using System.Runtime.InteropServices;
using NativeIpc.Interop.Unix;

namespace NativeIpc.Linux;

/// <summary>What processes have mapped, by <c>/proc/PID/maps</c> (proc_pid_maps(5)): a file is known there by device
/// and inode, in whatever mount namespace.</summary>
internal static class ProcessMaps
{
    private const int StartSize = 64 * 1024;

    private static ReadOnlySpan<byte> Folder => "/dev/shm/"u8;

    /// <summary>Whether this process is in the first PID namespace, which sees the processes of all the others. Its
    /// number is fixed (PROC_PID_INIT_INO).</summary>
    internal static bool SeesEveryProcess
        => !OperatingSystem.IsLinux() || Libc.LinkText("/proc/self/ns/pid") == "pid:[4026531836]";

    /// <summary>Whether a process has a file mapped; false as well when this user may not see that, or there is no
    /// such process.</summary>
    internal static bool HasMapped(int process, FileIdentity file)
    {
        byte[] buffer = new byte[StartSize];
        int length = ReadAll(ref buffer, $"/proc/{process}/maps");
        ReadOnlySpan<byte> text = length < 0 ? default : buffer.AsSpan(0, length);
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = end < 0 ? text : text[..end];
            text = end < 0 ? default : text[(end + 1)..];
            int path = line.IndexOf((byte)'/');
            if (path < 0 || !line[path..].StartsWith(Folder)) continue;
            if (!TrySplit(line, out ulong device, out ulong inode, out _)) continue;
            if (new FileIdentity(device, inode) == file) return true;
        }

        return false;
    }

    /// <summary>The file that this process has mapped at an address; all zero when the system does not say.</summary>
    internal static FileIdentity MappedAt(nint address)
    {
        byte[] buffer = new byte[StartSize];
        int length = ReadAll(ref buffer, "/proc/self/maps");
        ReadOnlySpan<byte> text = length < 0 ? default : buffer.AsSpan(0, length);
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = end < 0 ? text : text[..end];
            text = end < 0 ? default : text[(end + 1)..];
            if (!Utf8Parser.TryParse(line, out ulong from, out _, 'x') || (ulong)address < from) continue;
            if (TrySplit(line, out ulong device, out ulong inode, out long size) && (ulong)address - from < (ulong)size)
                return new FileIdentity(device, inode);
        }

        return default;
    }

    /// <summary>Device, inode and length of a line of <c>/proc/PID/maps</c>: <c>from-to perms offset major:minor inode
    /// path</c>.</summary>
    internal static bool TrySplit(ReadOnlySpan<byte> line, out ulong device, out ulong inode, out long size)
    {
        device = inode = 0;
        size = 0;
        if (!Utf8Parser.TryParse(line, out ulong from, out int used, 'x') || used >= line.Length) return false;
        line = line[(used + 1)..];
        if (!Utf8Parser.TryParse(line, out ulong to, out used, 'x')) return false;
        for (int field = 0; field < 3; field++) // to the device
        {
            int space = line.IndexOf((byte)' ');
            if (space < 0) return false;
            line = line[(space + 1)..];
        }

        if (!Utf8Parser.TryParse(line, out uint major, out used, 'x') || used >= line.Length) return false;
        line = line[(used + 1)..];
        if (!Utf8Parser.TryParse(line, out uint minor, out used, 'x') || used >= line.Length) return false;
        line = line[(used + 1)..];
        if (!Utf8Parser.TryParse(line, out inode, out _)) return false;
        device = ((ulong)major << 32) | minor;
        size = (long)(to - from);
        return true;
    }

    /// <summary>Reads a file of /proc whole; the number of bytes, or the negative error number.</summary>
    internal static unsafe int ReadAll(ref byte[] buffer, string path)
    {
        using var file = new UnixDescriptor(Libc.open(path, Flags.O_RDONLY | Flags.O_CLOEXEC, 0));
        if (file.IsInvalid)
        {
            int error = Marshal.GetLastPInvokeError();
            Shortage.Note(error);
            return -error;
        }

        int length = 0;
        while (true)
        {
            if (length == buffer.Length) Array.Resize(ref buffer, 2 * length);
            nint read;
            int number = 0;
            fixed (byte* to = &buffer[length])
            {
                read = Libc.read(file, to, (nuint)(buffer.Length - length));
                if (read < 0) number = Marshal.GetLastPInvokeError();
            }

            if (read == 0) return length;
            if (read > 0) length += (int)read;
            else if (number != Errno.EINTR) return -number;
        }
    }
}
