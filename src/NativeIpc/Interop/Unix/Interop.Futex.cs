using System.Runtime.InteropServices;

namespace NativeIpc;

internal static partial class Interop
{
    /// <summary>futex(2): sleeping on a word of memory, and waking who sleeps there. Linux only.</summary>
    internal static unsafe class Futex
    {
        private const uint AnyBit = 0xFFFFFFFF;

        // By number, since no C library has a wrapper; syscall() is variadic, which is harmless on Linux.
        private static readonly nint s_futex = Number(RuntimeInformation.ProcessArchitecture);

        /// <summary>SYS_futex.</summary>
        internal static int Number(Architecture architecture) => architecture switch
        {
            Architecture.X64 => 202,
            Architecture.S390x => 238,
            Architecture.Ppc64le => 221,
            _ => 98, // arm64, riscv64, loongarch64: the generic table
        };

        /// <summary>Sleeps while a shared word has a value, until a time on the monotonic clock (null for ever).</summary>
        /// <returns>0 when woken; otherwise the error number: ETIMEDOUT, EAGAIN (another value), EINTR.</returns>
        internal static int Wait(uint* word, uint value, Timespec* until)
            => Libc.syscall_futex(s_futex, word, Flags.FUTEX_WAIT_BITSET, (nint)value, until, null, unchecked((nint)AnyBit)) == 0 ? 0 : Marshal.GetLastPInvokeError();

        /// <summary>Wakes at most <paramref name="count"/> sleepers on a shared word.</summary>
        internal static void Wake(uint* word, int count)
            => _ = Libc.syscall_futex(s_futex, word, Flags.FUTEX_WAKE, count, null, null, 0); // fails only for an address that is none
    }

    internal static partial class Libc
    {
        [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
        internal static unsafe partial nint syscall_futex(nint number, uint* word, nint operation, nint value, Timespec* timeout, uint* word2, nint value3);
    }
}
