using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace NativeIpc.Victim;

/// <summary>Makes the kernel refuse system calls to this process, with seccomp(2): stands for kernels and file systems
/// that lack them.</summary>
internal static unsafe partial class SystemCallFilter
{
    private const ushort LoadWord = 0x20; // BPF_LD | BPF_W | BPF_ABS
    private const ushort JumpIfEqual = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    private const ushort JumpIfSet = 0x45; // BPF_JMP | BPF_JSET | BPF_K
    private const ushort JumpIfGreater = 0x25; // BPF_JMP | BPF_JGT | BPF_K
    private const ushort Return = 0x06; // BPF_RET | BPF_K
    private const uint Allow = 0x7FFF0000; // SECCOMP_RET_ALLOW
    private const uint Refuse = 0x00050000; // SECCOMP_RET_ERRNO
    private const uint KillProcess = 0x80000000; // SECCOMP_RET_KILL_PROCESS

    private const int OffsetOfNumber = 0; // struct seccomp_data
    private const int OffsetOfFirstArgument = 16; // each has eight bytes, of which the low four are looked at
    private const int OffsetOfSecondArgument = 24;
    private const int OffsetOfThirdArgument = 32;
    private const uint TmpfileBit = 0x400000; // __O_TMPFILE
    private const uint NotPermitted = 1; // EPERM
    private const uint NotSupported = 95; // EOPNOTSUPP
    private const uint NoSuchCall = 38; // ENOSYS

    private static bool IsX64 => RuntimeInformation.ProcessArchitecture == Architecture.X64;

    /// <summary>As on a file system without unnamed files.</summary>
    internal static string RefuseTmpfile() => Install(
    [
        new Instruction(LoadWord, 0, 0, OffsetOfNumber),
        new Instruction(JumpIfEqual, 0, 3, IsX64 ? 257u : 56u), // openat
        new Instruction(LoadWord, 0, 0, OffsetOfThirdArgument),
        new Instruction(JumpIfSet, 0, 1, TmpfileBit),
        new Instruction(Return, 0, 0, Refuse | NotSupported),
        new Instruction(Return, 0, 0, Allow),
    ]);

    /// <summary>As on a file system whose files cannot be locked, or not by this descriptor.</summary>
    internal static string RefuseFlock(uint number) => Install(
    [
        new Instruction(LoadWord, 0, 0, OffsetOfNumber),
        new Instruction(JumpIfEqual, 0, 1, IsX64 ? 73u : 32u), // flock
        new Instruction(Return, 0, 0, Refuse | number),
        new Instruction(Return, 0, 0, Allow),
    ]);

    /// <summary>As where the kernel has no memory for a page to read a link to, or a policy forbids it.</summary>
    internal static string RefuseLinks(uint number) => Install(
    [
        new Instruction(LoadWord, 0, 0, OffsetOfNumber),
        new Instruction(JumpIfEqual, 0, 1, IsX64 ? 267u : 78u), // readlinkat
        new Instruction(Return, 0, 0, Refuse | number),
        new Instruction(Return, 0, 0, Allow),
    ]);

    /// <summary>As where the status of a System V segment is not told.</summary>
    internal static string RefuseSegmentStatus() => Install(
    [
        new Instruction(LoadWord, 0, 0, OffsetOfNumber),
        new Instruction(JumpIfEqual, 0, 3, IsX64 ? 31u : 195u), // shmctl
        new Instruction(LoadWord, 0, 0, OffsetOfSecondArgument),
        new Instruction(JumpIfEqual, 0, 1, 2), // IPC_STAT
        new Instruction(Return, 0, 0, Refuse | NotPermitted),
        new Instruction(Return, 0, 0, Allow),
    ]);

    /// <summary>As in a kernel or a sandbox without System V objects.</summary>
    internal static string RefuseSystemV() => Install(
    [
        new Instruction(LoadWord, 0, 0, OffsetOfNumber),
        new Instruction(JumpIfEqual, 1, 0, IsX64 ? 29u : 194u), // shmget
        new Instruction(JumpIfEqual, 0, 1, IsX64 ? 64u : 190u), // semget
        new Instruction(Return, 0, 0, Refuse | NoSuchCall),
        new Instruction(Return, 0, 0, Allow),
    ]);

    // The numbers of the calls that rules name, on x64 and on arm64.
    private static readonly Dictionary<string, (uint X64, uint Arm64)> s_numbers = new()
    {
        ["openat"] = (257, 56), ["link"] = (86, uint.MaxValue), ["linkat"] = (265, 37), ["fcntl"] = (72, 25),
        ["fallocate"] = (285, 47), ["statx"] = (332, 291),
        ["newfstatat"] = (262, 79), ["madvise"] = (28, 233), ["pidfd_open"] = (434, 434), ["io_uring_setup"] = (425,
            425), ["io_uring_enter"] = (426, 426), ["io_uring_register"] = (427, 427),
        ["futex_waitv"] = (449, 449), ["clone3"] = (435, 435),
        ["inotify_init1"] = (294, 26), ["inotify_add_watch"] = (254, 27), ["epoll_create1"] = (291, 20),
    };

    private static readonly Dictionary<string, uint> s_actions = new()
    {
        ["kill"] = KillProcess, ["EPERM"] = Refuse | 1, ["EACCES"] = Refuse | 13, ["EINVAL"] = Refuse | 22,
        ["EMFILE"] = Refuse | 24,
        ["ENOLCK"] = Refuse | 37, ["ENOSYS"] = Refuse | NoSuchCall, ["EOPNOTSUPP"] = Refuse | NotSupported,
    };

    /// <summary>
    /// Runs a program under a filter that it cannot take off, as containers, systemd and snaps do; does not return.
    /// Rules, with commas between them, of which the first that fits counts: CALL:ACTION, or
    /// CALL@ARGUMENT&amp;MASK:ACTION where any of those bits is set, or CALL@ARGUMENT=VALUE:ACTION, or
    /// &gt;NUMBER:ACTION for what is younger; argument from 0, mask hexadecimal. What no rule fits is allowed.
    /// </summary>
    internal static void RunUnder(string rules, string[] command)
    {
        List<Instruction> program = [];
        foreach (string rule in rules.Split(','))
        {
            int at = rule.LastIndexOf(':');
            uint action = s_actions[rule[(at + 1)..]];
            string what = rule[..at];
            program.Add(new(LoadWord, 0, 0, OffsetOfNumber));
            if (what[0] == '>')
            {
                program.Add(new(JumpIfGreater, 0, 1, uint.Parse(what[1..], CultureInfo.InvariantCulture)));
            }
            else
            {
                string[] parts = what.Split('@');
                bool hasArgument = parts.Length > 1;
                (uint x64, uint arm64) = s_numbers[parts[0]];
                program.Add(new(JumpIfEqual, 0, (byte)(hasArgument ? 3 : 1), IsX64 ? x64 : arm64));
                if (hasArgument)
                {
                    bool isMask = parts[1][1] == '&';
                    program.Add(new(LoadWord, 0, 0, (uint)(OffsetOfFirstArgument + (8 * (parts[1][0] - '0')))));
                    program.Add(new(isMask ? JumpIfSet : JumpIfEqual, 0, 1,
                        uint.Parse(parts[1][2..], isMask ? NumberStyles.HexNumber : NumberStyles.None,
                            CultureInfo.InvariantCulture)));
                }
            }

            program.Add(new(Return, 0, 0, action));
        }

        program.Add(new(Return, 0, 0, Allow));
        _ = Install([.. program]);
        nint* words = stackalloc nint[command.Length + 1];
        for (int i = 0; i < command.Length; i++) words[i] = Marshal.StringToCoTaskMemUTF8(command[i]);
        words[command.Length] = 0;
        _ = execvp(words[0], words);
        throw new InvalidOperationException($"{command[0]}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>As in a sandbox that lets nobody ask for the status of files: neither by statx(2) nor by
    /// newfstatat.</summary>
    internal static string RefuseStatus()
    {
        LoadCompiler();
        return Install(
        [
            new Instruction(LoadWord, 0, 0, OffsetOfNumber),
            new Instruction(JumpIfEqual, 1, 0, IsX64 ? 332u : 291u),
            new Instruction(JumpIfEqual, 0, 1, IsX64 ? 262u : 79u),
            new Instruction(Return, 0, 0, Refuse | NotPermitted),
            new Instruction(Return, 0, 0, Allow),
        ]);
    }

    /// <summary>Has the runtime load its compiler, which it does when first it needs it, after a look at the file's
    /// status. A program that was compiled ahead may not have needed it yet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)] // never compiled ahead
    private static void LoadCompiler()
    {
    }

    /// <summary>From here on this thread dies, and its process with it (SIGSYS), of any system call but one.</summary>
    /// <param name="allowed">The number of that one; null for none.</param>
    /// <param name="isRehearsal">It does not die: only the way here and back is gone.</param>
    internal static void KillAtOtherThan(uint? allowed, bool isRehearsal) => Install(
    [
        new Instruction(LoadWord, 0, 0, OffsetOfNumber),
        new Instruction(JumpIfEqual, 1, 0, allowed ?? uint.MaxValue),
        new Instruction(Return, 0, 0, isRehearsal ? Allow : KillProcess),
        new Instruction(Return, 0, 0, Allow),
    ]);

    /// <summary>semtimedop(2), by which glibc also does semop(2): all that a System V lock may need.</summary>
    internal static uint Semtimedop => IsX64 ? 220u : 192u;

    private static string Install(Instruction[] program)
    {
        SystemSteps.Check(prctl(38, 1, 0, 0, 0)); // PR_SET_NO_NEW_PRIVS, so that anybody may filter
        fixed (Instruction* first = program)
        {
            var whole = new Program { Length = (ushort)program.Length, Instructions = first };
            // PR_SET_SECCOMP, SECCOMP_MODE_FILTER: this thread only
            SystemSteps.Check(prctl(22, 2, (nuint)(&whole), 0, 0));
        }

        return "refused";
    }

    private readonly record struct Instruction(ushort Code, byte IfTrue, byte IfFalse, uint Operand);

    private struct Program
    {
        internal ushort Length;
        internal Instruction* Instructions;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int execvp(nint file, nint* words);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int prctl(int option, nuint second, nuint third, nuint fourth, nuint fifth);
}
