using System.Runtime.InteropServices;

namespace NativeIpc.Interop.Unix;

/// <summary>futex(2): sleeping on a word of memory, and waking its sleepers. Linux only.</summary>
internal static unsafe class Futex
{
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

    /// <summary>Sleeps while a shared word has a value, until a time on the monotonic clock (null for
    /// ever).</summary>
    /// <param name="word">Where.</param>
    /// <param name="value">The value.</param>
    /// <param name="until">When.</param>
    /// <param name="bits">Which wake-ups count: those for one of these bits, and those that name none.</param>
    /// <returns>0 when woken; otherwise the error number: ETIMEDOUT, EAGAIN (another value), EINTR.</returns>
    internal static int Wait(uint* word, uint value, Timespec* until, uint bits)
        => Libc.syscall_futex(s_futex, word, Flags.FUTEX_WAIT_BITSET, (nint)value, until, null, (nint)bits) == 0
            ? 0 : Marshal.GetLastPInvokeError();

    /// <summary>Wakes all threads that sleep on a shared word for one of these bits.</summary>
    internal static void WakeAll(uint* word, uint bits)
        => _ = Libc.syscall_futex_wake(s_futex, word, Flags.FUTEX_WAKE_BITSET, int.MaxValue, null, null,
            (nint)bits);

    /// <summary>The most words that futex_waitv takes (FUTEX_WAITV_MAX).</summary>
    internal const int MostWords = 128;

    private const nint WaitvNumber = 449; // on every architecture

    /// <summary>Sleeps until any of the words is woken, or has another value than said, or until a time on the
    /// monotonic clock (null for ever). Linux 5.16.</summary>
    /// <param name="words">Where, and the values.</param>
    /// <param name="count">How many.</param>
    /// <param name="until">When.</param>
    /// <param name="woken">One that was woken; -1 for an error. Others may have been woken as well.</param>
    /// <returns>0 when woken; otherwise the error number: EAGAIN (another value), ETIMEDOUT, EFAULT (no such
    /// memory), EINTR.</returns>
    internal static int WaitMany(FutexWord* words, int count, Timespec* until, out int woken)
    {
        woken = (int)Libc.syscall_futex_waitv(WaitvNumber, words, count, 0, until, Flags.CLOCK_MONOTONIC);
        return woken >= 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    /// <summary>Whether the kernel has the call and no filter forbids it.</summary>
    internal static bool HasWaitMany()
    {
        uint word = 1;
        FutexWord waiter = FutexWord.Private(&word, 0);
        return WaitMany(&waiter, 1, null, out _) == Errno.EAGAIN;
    }

    internal static void WakePrivate(uint* word, int count)
        => _ = Libc.syscall_futex_wake(s_futex, word, Flags.FUTEX_WAKE | Flags.FUTEX_PRIVATE_FLAG, count,
            null, null, 0);

    /// <summary>Wakes at most <paramref name="count"/> sleepers on a shared word.</summary>
    /// <returns>How many were asleep and are woken.</returns>
    internal static int Wake(uint* word, int count)
        // Fails only for an address that is none
        => (int)Libc.syscall_futex_wake(s_futex, word, Flags.FUTEX_WAKE, count, null, null, 0);

    /// <summary>The same, and tells how many.</summary>
    /// <param name="word">Where.</param>
    /// <param name="count">At most how many.</param>
    /// <param name="woken">How many.</param>
    /// <returns>0, or the error number: EFAULT (no such memory).</returns>
    internal static int Wake(uint* word, int count, out int woken)
    {
        woken = (int)Libc.syscall_futex(s_futex, word, Flags.FUTEX_WAKE, count, null, null, 0);
        return woken >= 0 ? 0 : Marshal.GetLastPInvokeError();
    }
}

/// <summary>struct futex_waitv: a word to sleep on, and the value at which to sleep.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct FutexWord
{
    internal ulong val;
    internal ulong uaddr;
    internal uint flags;
    internal uint reserved;

    internal static FutexWord Shared(uint* word, uint value)
        => new() { val = value, uaddr = (ulong)word, flags = Flags.FUTEX_32 };

    internal static FutexWord Private(uint* word, uint value)
        => new() { val = value, uaddr = (ulong)word, flags = Flags.FUTEX_32 | Flags.FUTEX_PRIVATE_FLAG };
}

internal static partial class Libc
{
    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    internal static unsafe partial nint syscall_futex_waitv(nint number, FutexWord* words, nint count, nint flags,
        Timespec* timeout, nint clock);

    /// <summary>Waking fails only for an address that is none, so its error number is not asked for.</summary>
    [LibraryImport(Libraries.Libc, EntryPoint = "syscall")]
    internal static unsafe partial nint syscall_futex_wake(nint number, uint* word, nint operation, nint value,
        Timespec* timeout, uint* word2, nint value3);

    [LibraryImport(Libraries.Libc, EntryPoint = "syscall", SetLastError = true)]
    internal static unsafe partial nint syscall_futex(nint number, uint* word, nint operation, nint value,
        Timespec* timeout, uint* word2, nint value3);
}
