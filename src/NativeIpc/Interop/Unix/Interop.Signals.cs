using System.Runtime.InteropServices;

namespace NativeIpc;

internal static partial class Interop
{
    internal static partial class Libc
    {
        [LibraryImport(Libraries.Libc, EntryPoint = "sigaction", SetLastError = true)]
        private static unsafe partial int sigaction_query(int signal, void* action, void* old);

        [LibraryImport(Libraries.Libc)]
        private static unsafe partial int dladdr(nint address, nint* found);

        /// <summary>Who handles a signal: 0 the system's default, 1 nobody since it is ignored, otherwise the address of a function; -1 when that cannot be asked.</summary>
        /// <remarks>struct sigaction begins with the handler in glibc, in musl and on macOS, and has 152 bytes at most.</remarks>
        internal static unsafe nint SignalHandler(int signal)
        {
            const int words = 64;
            nint* old = stackalloc nint[words];
            new Span<nint>(old, words).Clear();
            return sigaction_query(signal, null, old) == 0 ? *old : -1;
        }

        /// <summary>The path of the file that an address of code is from; null when that is not known.</summary>
        internal static unsafe string? FileOf(nint address)
        {
            nint* found = stackalloc nint[4]; // Dl_info: the file's name, where it begins, the symbol's name, where it begins
            return dladdr(address, found) == 0 ? null : Marshal.PtrToStringUTF8(found[0]);
        }
    }
}
