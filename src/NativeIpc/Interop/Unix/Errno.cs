namespace NativeIpc.Interop.Unix;

/// <summary>The error numbers of the system this process runs on.</summary>
internal abstract class Errno : ErrnoOf<ThisTarget>;

/// <summary>
/// Error numbers. They differ per system (EAGAIN and EDEADLK even swap theirs between Linux and BSD), so numbers of
/// one system are never compared with those of another. Linux values hold for x64 and arm64; tests/NativeIpc.Abi
/// checks them.
/// </summary>
internal abstract class ErrnoOf<TTarget>
    where TTarget : ITarget
{
    internal const int EPERM = 1;
    internal const int ENOENT = 2;
    internal const int ESRCH = 3;
    internal const int EINTR = 4;
    internal const int EIO = 5;
    internal const int ENXIO = 6;
    internal const int E2BIG = 7;
    internal const int EBADF = 9;
    internal const int ENOMEM = 12;
    internal const int EACCES = 13;
    internal const int EFAULT = 14;
    internal const int EBUSY = 16;
    internal const int EEXIST = 17;
    internal const int EXDEV = 18;
    internal const int ENODEV = 19;
    internal const int ENOTDIR = 20;
    internal const int EISDIR = 21;
    internal const int EINVAL = 22;
    internal const int ENFILE = 23;
    internal const int EMFILE = 24;
    internal const int ETXTBSY = 26;
    internal const int EFBIG = 27;
    internal const int ENOSPC = 28;
    internal const int EROFS = 30;
    internal const int EMLINK = 31;
    internal const int ERANGE = 34;

    internal static readonly int EAGAIN = TTarget.IsApple ? 35 : 11;
    internal static readonly int EDEADLK = TTarget.IsApple ? 11 : 35;
    internal static readonly int ENAMETOOLONG = TTarget.IsApple ? 63 : 36;
    internal static readonly int ENOLCK = TTarget.IsApple ? 77 : 37;
    internal static readonly int ENOSYS = TTarget.IsApple ? 78 : 38;
    internal static readonly int ELOOP = TTarget.IsApple ? 62 : 40;
    internal static readonly int EIDRM = TTarget.IsApple ? 90 : 43;
    internal static readonly int EOVERFLOW = TTarget.IsApple ? 84 : 75;
    internal static readonly int EOPNOTSUPP = TTarget.IsApple ? 102 : 95;
    internal static readonly int ENOTSUP = TTarget.IsApple ? 45 : 95;
    internal static readonly int ETIMEDOUT = TTarget.IsApple ? 60 : 110;
    internal static readonly int ETIME = TTarget.IsApple ? 101 : 62;
    internal static readonly int ECANCELED = TTarget.IsApple ? 89 : 125;
    internal static readonly int EDQUOT = TTarget.IsApple ? 69 : 122;
}
