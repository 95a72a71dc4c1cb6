using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using static NativeIpc.Interop;

namespace NativeIpc.Backends.Windows;

/// <summary>The names of sections and semaphores in the object directories in which the named objects of this session and of all sessions stand.</summary>
internal static unsafe class WindowsNames
{
    private const int BufferSize = 64 * 1024; // a name has 32,767 units at most

    /// <summary>The names, with the prefix that opens them; and why some could not be listed.</summary>
    public static (HashSet<string> Segments, HashSet<string> Semaphores) Read(out string? failure)
    {
        using var self = System.Diagnostics.Process.GetCurrentProcess();
        int session = self.SessionId;
        HashSet<string> segments = new(StringComparer.Ordinal), semaphores = new(StringComparer.Ordinal);
        failure = null;

        // In session 0 there is one directory for both.
        (string Directory, string Prefix)[] places = session == 0 ? [(@"\BaseNamedObjects", "")] : [($@"\Sessions\{session}\BaseNamedObjects", ""), (@"\BaseNamedObjects", @"Global\")];
        foreach ((string directory, string prefix) in places)
        {
            int status = Read(directory, prefix, segments, semaphores);
            if (status < 0) failure = $"The object directory {directory} cannot be read (NTSTATUS 0x{status:x8}), so its objects are not listed. Objects whose key is known can be looked at.";
        }

        return (segments, semaphores);
    }

    private static int Read(string directory, string prefix, HashSet<string> segments, HashSet<string> semaphores)
    {
        SafeWaitHandle handle;
        int status;
        fixed (char* characters = directory)
        {
            Ntdll.UNICODE_STRING name = new() { Length = (ushort)(directory.Length * sizeof(char)), MaximumLength = (ushort)(directory.Length * sizeof(char)), Buffer = (nint)characters };
            Ntdll.OBJECT_ATTRIBUTES attributes = new() { Length = (uint)sizeof(Ntdll.OBJECT_ATTRIBUTES), ObjectName = (nint)(&name) };
            status = Ntdll.NtOpenDirectoryObject(out handle, Ntdll.DIRECTORY_QUERY, attributes);
        }

        using (handle)
        {
            if (status < 0) return status;
            void* buffer = NativeMemory.Alloc(BufferSize);
            try
            {
                uint done = 0;
                for (uint before = 0; Ntdll.NtQueryDirectoryObject(handle, (nint)buffer, BufferSize, 0, before == 0 ? (byte)1 : (byte)0, ref done, out _) >= 0 && done > before; before = done)
                {
                    // An entry of zeros ends what Windows gives; Wine 8 gives one entry at a time, and no end.
                    var entries = (Ntdll.OBJECT_DIRECTORY_INFORMATION*)buffer;
                    for (uint i = 0; i < done - before && entries[i].Name.Buffer != 0; i++)
                    {
                        HashSet<string>? kind = Text(entries[i].TypeName) switch { "Section" => segments, "Semaphore" => semaphores, _ => null };
                        kind?.Add(prefix + Text(entries[i].Name));
                    }
                }
            }
            finally
            {
                NativeMemory.Free(buffer);
            }
        }

        return 0;
    }

    private static string Text(in Ntdll.UNICODE_STRING text) => new((char*)text.Buffer, 0, text.Length / sizeof(char));
}
