using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NativeIpc.Interop.Windows;
using NativeIpc.Keys;

namespace NativeIpc.Windows;

/// <summary>The names in the object directories in which the named objects of this session and of all sessions
/// stand.</summary>
internal static unsafe class WindowsNames
{
    public const string Section = "Section";
    public const string Semaphore = "Semaphore";
    public const string Event = "Event";

    private const int BufferSize = 1 << 20; // one entry has 128 KiB at most; all of an ordinary directory fit
    // Where entries come singly, each reading passes over up to every other one while somebody makes and removes
    // objects without a pause
    private const int MostReadings = 20;

    /// <summary>The kind of object of each name, in the words of Windows; each name with the prefix that opens
    /// it.</summary>
    /// <param name="failure">Why some could not be listed; null when all were.</param>
    public static Dictionary<string, string> Read(out string? failure)
    {
        Dictionary<string, string> kinds = new(StringComparer.Ordinal);
        failure = null;
        int session = Session();

        // In session 0 there is one directory for both.
        (string Directory, string Prefix)[] places = session == 0 ? [(@"\BaseNamedObjects", "")]
            : [(string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $@"\Sessions\{session}\BaseNamedObjects"), ""), (@"\BaseNamedObjects", @"Global\")];
        foreach ((string directory, string prefix) in places)
        {
            int status = Read(directory, prefix, kinds);
            if (status < 0)
                failure = $"The object directory {directory} cannot be read (NTSTATUS 0x{status:x8}), so its objects "
                    + $"are not listed. Objects whose key is known can be looked at.";
        }

        return kinds;
    }

    /// <summary>The number of the session of this process: its objects without a prefix are those of this
    /// session.</summary>
    public static int Session()
    {
        using var self = System.Diagnostics.Process.GetCurrentProcess();
        return self.SessionId;
    }

    /// <summary>A name with the prefix by which it is listed: <c>Local\</c> changes nothing, and in session 0
    /// <c>Global\</c> neither.</summary>
    public static string AsListed(string name)
        => NameRules.WindowsPrefixLength(name) is var length and > 0 && (!name.StartsWith('G') || Session() == 0)
            ? name[length..] : name;

    private static int Read(string directory, string prefix, Dictionary<string, string> kinds)
    {
        SafeWaitHandle handle;
        int status;
        fixed (char* characters = directory)
        {
            Ntdll.UNICODE_STRING name = new() { Length = (ushort)(directory.Length * sizeof(char)),
                MaximumLength = (ushort)(directory.Length * sizeof(char)), Buffer = (nint)characters };
            Ntdll.OBJECT_ATTRIBUTES attributes = new() { Length = (uint)sizeof(Ntdll.OBJECT_ATTRIBUTES),
                ObjectName = (nint)(&name) };
            status = Ntdll.NtOpenDirectoryObject(out handle, Ntdll.DIRECTORY_QUERY, attributes);
        }

        using (handle)
        {
            if (status < 0) return status;
            void* buffer = NativeMemory.Alloc(BufferSize);
            try
            {
                // R1 Race: an object comes or goes between two calls; they count entries, so one that stayed may be
                // passed over. Safe because: a directory that took more than one call is read until two readings are
                // alike, a few times at most, and what any of them found counts: what is gone by then is not found when
                // it is opened.
                HashSet<string> last = [];
                for (int reading = 0; reading < MostReadings; reading++)
                {
                    HashSet<string> now = new(StringComparer.Ordinal);
                    status = ReadOnce(handle, prefix, buffer, kinds, now, out int calls);
                    if (status < 0 || calls <= 2 || now.SetEquals(last)) break; // the second call finds the end
                    last = now;
                }
            }
            finally
            {
                NativeMemory.Free(buffer);
            }

            return status;
        }
    }

    private static int ReadOnce(SafeWaitHandle handle, string prefix, void* buffer, Dictionary<string, string> kinds,
        HashSet<string> now, out int calls)
    {
        var entries = (Ntdll.OBJECT_DIRECTORY_INFORMATION*)buffer;
        uint context = 0;
        bool isSingle = false; // Wine 8 gives one entry at a time only
        for (calls = 1; ; calls++)
        {
            uint before = context;
            int status = Ntdll.NtQueryDirectoryObject(handle, (nint)buffer, BufferSize, isSingle ? (byte)1 : (byte)0,
                calls == 1 ? (byte)1 : (byte)0, ref context, out _);
            if (status == Ntdll.STATUS_NOT_IMPLEMENTED && !isSingle)
            {
                isSingle = true;
                calls--;
                continue;
            }

            if (status == Ntdll.STATUS_NO_MORE_ENTRIES) return 0;
            if (status < 0) return status;
            if (context == before) return 0; // no progress: it would never end
            // An entry of zeros is behind the last one
            for (int i = 0; (i == 0 || !isSingle) && entries[i].Name.Buffer != 0; i++)
            {
                string name = Text(entries[i].Name);
                // No function that takes a name opens one with a NUL
                if (!now.Add(name) || name.Contains('\0')) continue;
                kinds[prefix + name] = Text(entries[i].TypeName);
            }
        }
    }

    private static string Text(in Ntdll.UNICODE_STRING text) => new((char*)text.Buffer, 0, text.Length / sizeof(char));
}
