using NativeIpc.Interop.Unix;
using NativeIpc.Linux;
using NativeIpc.Posix.Names;

namespace NativeIpc.Posix.Users;

/// <summary>A file of <c>/dev/shm</c> that is to be removed if no process uses it.</summary>
/// <param name="Path">The file.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Identity">Which file it must be; null for whatever has the name.</param>
/// <param name="Own">The only descriptor of this process, if it has one left.</param>
/// <param name="Unlink">Removes the names.</param>
internal readonly record struct UseQuestion(string Path, IpcObjectKind Kind, FileIdentity? Identity,
    UnixDescriptor? Own, Func<bool> Unlink);

/// <summary>What came of asking whether anybody uses an object.</summary>
internal enum UseAnswer
{
    /// <summary>Nobody did, and the name is removed; or it was gone, or leads to another object.</summary>
    Gone,

    /// <summary>Another process has it open or mapped.</summary>
    InUse,

    /// <summary>The system does not say, or not to this process now.</summary>
    CannotTell,
}

/// <summary>An answer, and for <see cref="UseAnswer.CannotTell"/> the call that was refused and its error
/// number.</summary>
internal readonly record struct UseResult(UseAnswer Answer, string Call = "", int Number = 0)
{
    internal static UseResult CannotTell(string call, int number) => new(UseAnswer.CannotTell, call, number);

    /// <summary>Why it cannot be told: a clause.</summary>
    internal string Reason(string path) => Number == Errno.EACCES || Number == Errno.EPERM
        ? "whether anybody still uses it, the kernel tells only its owner and root (CAP_LEASE)"
        : Call == AskMark.Call
            ? "whether anybody still uses it cannot be told, since another process says, by a lock on "
                + $"{PosixNames.Folder} or {path}, that it has {path} open only to ask that, or does not use it any "
                + $"more"
        : Number == Errno.EAGAIN
            ? $"whether anybody still uses it cannot be told, since another process keeps a lock or a lease on {path}"
        : "whether anybody still uses it cannot be told";

    /// <summary>What helps: a sentence without its full stop.</summary>
    internal string Remedy(string path) => Number == Errno.EACCES || Number == Errno.EPERM ? "Run as its owner"
        : Number == Errno.EAGAIN ? $"End that process (fuser {path} names it)"
        : UnixErrors.Explain(Call, Number).Remedy.TrimEnd('.');
}
